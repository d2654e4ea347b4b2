//! Client of Barrage in Rust: asks entry, races endpoints, connects, resumes, repairs and sends.
//!
//! [`Viewer`] watches a room and delivers one stream of [`Event`]s, in which each message is once and
//! in order. [`Sender`] posts messages and retries them under the same id. [`Letters`] writes and reads letters,
//! and [`Device`] keeps the inbox of a user in step without a room. [`Accounts`] signs people in. The tests, the load
//! tester and the probe use this crate, so that they do what a client does. `examples/` has six programs.

mod address;
mod chain;
mod config;
mod connect;
mod device;
mod dial;
mod direct;
mod error;
mod event;
pub mod heartbeat;
mod http;
mod inbox;
mod ladder;
mod link;
mod room_state;
mod sender;
mod source;
mod viewer;

pub use barrage_backoff::Backoff;
pub use barrage_tls::{CaFileError, ClientTls};
pub use chain::{HoldLimits, RoomChain, Step};
pub use config::{SenderConfig, ViewerConfig};
pub use device::{Device, DeviceConfig, DeviceEvent, InboxChange, InboxPlace, KeptInbox};
pub use dial::{HttpProxy, ProxyError};
pub use direct::{DirectViewer, probe_targets};
pub use error::{ConnectError, SendError};
pub use event::Event;
pub use heartbeat::{HeartbeatConfig, Network};
pub use http::HttpPool;
pub use inbox::{InboxBook, InboxNews, InboxStep};
pub use ladder::{EndCause, FailureCause, Ladder, LadderAction, LadderEvent, LadderLimits};
pub use sender::{Accounts, Letters, Sender, UplinkTransport};
pub use source::SourceConfig;
pub use viewer::{Activity, Viewer, Visibility};
