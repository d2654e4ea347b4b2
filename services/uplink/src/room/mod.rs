//! A room's settings and restrictions: who may enter, and the actions of those who run it. Each
//! action is durable before it is answered.

mod access;
mod control;
mod emotes;
mod hidings;
mod lost_signals;
mod message;
mod restrict;
mod role;
mod signal;
mod signalled;
mod super_chats;

pub(crate) use access::{open_room, parse_room_id, refuse_kicked};
pub(crate) use control::RoomControl;
pub(crate) use emotes::check_emotes;
pub(crate) use hidings::Hidings;
#[cfg(test)]
pub(crate) use lost_signals::Watched;
pub(crate) use message::{Hide, hides_after};
pub(crate) use role::{given_roles, in_room, known_role, role};
pub(crate) use signal::{Signal, SignalId, signal_draft};
pub(crate) use super_chats::is_super_chat;
