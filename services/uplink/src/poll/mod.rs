//! Polls of rooms: opened and closed by moderators, one vote a user, results in pulses and signals.

mod control;
mod form;
mod keeper;
mod vote_queue;
mod words;

pub(crate) use control::{PollAuthor, PollControl, PollParts};
