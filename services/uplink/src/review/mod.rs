//! The review queue of rooms: posts that wait for a moderator, reports of viewers, and decisions.

mod control;
mod evidence;
mod form;
mod outcome;
mod queue;
#[cfg(test)]
mod tests;

pub(crate) use control::{ReviewControl, ReviewParts};
pub(crate) use queue::{Queued, line, moderator};
