//! Bytes and readiness of one connection. Imports nothing else of this crate.

mod encoding;
mod stream;
mod wake;

pub(crate) use encoding::{Encoding, encode};
pub(crate) use stream::{DetachedSocket, Socket};
pub(crate) use wake::Wake;
