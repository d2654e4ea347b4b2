//! Decides joins and evictions: tokens, tickets, places, the join queue.
//!
//! All decisions are made from values and small books; `http` and `shard` apply them.

mod access;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod admission;
mod eviction;
mod join_queue;
mod tickets;

pub use access::Access;
pub(crate) use access::{check_role, check_room, ends_at_secs, is_probe};
pub(crate) use admission::{Admission, Availability, JoinRefusal, Places, admit, admit_join, admit_probe};
pub(crate) use eviction::{Eviction, Scope, kicked, refresh, room_closed, token_expired};
pub(crate) use join_queue::JoinQueue;
pub(crate) use tickets::{Pass, UsedTickets, take_ticket};
