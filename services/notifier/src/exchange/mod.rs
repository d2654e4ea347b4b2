//! Requests over one HTTP/2 connection for each host.

mod link;
mod origin;
mod origins;
mod request;

pub(crate) use origin::{Bounds, SendError};
pub(crate) use origins::{GuardedNames, Names, Origins};
pub(crate) use request::{Answer, Outgoing};
