//! A shard: one thread, one single-threaded runtime, and the viewers that it owns.
//!
//! No lock is taken and no task is woken per delivery: a batch is written to each viewer's socket
//! in a plain loop. A connection goes `run` → `session` → `join`, and never back.

mod books;
mod client_frames;
mod drain;
mod inbox;
mod join;
mod mail;
mod members;
mod run;
mod session;
mod session_end;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod shard;
mod trace_acks;

pub(crate) use run::{build_runtime, run};
