//! What a client does, in Rust: ask entry, race, connect, resume, repair, send.
//! The tests, the load tester and the probe use it, so that what is tested is what
//! a client does. It stands on the protocol alone.

mod backoff;
mod chain;
mod config;
mod connect;
mod endpoints;
mod error;
mod event;
mod follow;
mod http;
mod link;
mod poll;
mod race;
mod sender;
mod sse;
mod uplinks;
mod viewer;
mod ws;

pub use backoff::Backoff;
pub use chain::{HoldLimits, RoomChain, Step};
pub use config::{SenderConfig, ViewerConfig};
pub use error::{ConnectError, SendError};
pub use event::Event;
pub use http::HttpPool;
pub use sender::Sender;
pub use viewer::Viewer;
