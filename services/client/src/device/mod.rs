//! A device of a user: the inbox without a room.
//!
//! [`Device`] connects to `/v1/inbox/ws`, takes mail and bells, and asks `GET /v1/inbox` where it lacks something. What
//! arrives comes as [`InboxChange`]s. A cursor is presented to the server only after the program has written the
//! change that brought it, so that a program which dies in between gets the change again.

mod change;
mod config;
#[allow(clippy::module_inception, reason = "the main type of the folder")]
mod device;
mod following;
mod link;
mod questions;
mod session;

pub use change::{DeviceEvent, InboxChange, InboxPlace, KeptInbox};
pub use config::DeviceConfig;
pub use device::Device;
