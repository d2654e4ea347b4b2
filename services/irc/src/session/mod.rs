//! One IRC connection without its socket: lines and events in, effects out. Pure; the time is a value.

mod answer;
mod body;
mod command;
mod effect;
mod identity;
mod login;
mod refusal;
mod room;
#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod session;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Answered, WorkResult};
pub(crate) use effect::{CloseCause, Effect, Work, WorkTask};
pub(crate) use session::Session;
