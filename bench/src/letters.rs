//! Users who write letters to each other, viewers that attach, and a device that comes back after a month.

mod attach;
mod converse;
mod http;
mod send;
mod sync;

pub(crate) use attach::Attach;
pub(crate) use converse::Converse;
pub(crate) use send::{Letters, claims};
pub(crate) use sync::Sync;
