//! Users who write letters to each other, and a device that comes back after a month.

mod http;
mod send;
mod sync;

pub(crate) use send::Letters;
pub(crate) use sync::Sync;
