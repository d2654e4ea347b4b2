//! Client of Barrage in Rust: asks entry, races endpoints, connects, resumes, repairs and sends.
//!
//! [`Viewer`] watches a room and delivers one stream of [`Event`]s, in which each message is once and
//! in order. [`Sender`] posts messages and retries them under the same id. The tests, the load tester
//! and the probe use this crate, so that they do what a client does. `examples/` has five programs.

mod chain;
mod config;
mod connect;
mod error;
mod event;
mod http;
mod link;
mod sender;
mod viewer;

pub use barrage_backoff::Backoff;
pub use chain::{HoldLimits, RoomChain, Step};
pub use config::{SenderConfig, ViewerConfig};
pub use error::{ConnectError, SendError};
pub use event::Event;
pub use http::HttpPool;
pub use sender::Sender;
pub use viewer::Viewer;
