//! One connection of a device, what may become of it, and waits for what may not be there.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::link::{DeviceLink, Found};
use crate::error::ConnectError;

/// Error of a send to a program that has dropped the device, or of a device that is closed.
pub(super) struct Gone;

/// End of a connection, with its close code and message for the program.
pub(super) struct Ended {
    pub(super) code: Option<u16>,
    pub(super) message: String,
    /// Whether the connection lasted long enough to count as a success.
    pub(super) is_stable: bool,
}

/// What becomes of the connection after one step.
pub(super) enum Turn {
    Stay,
    Move(DeviceLink),
    Over(Option<u16>, String),
}

/// An open connection, and the one that is being opened to replace it.
pub(super) struct Following {
    pub(super) link: DeviceLink,
    /// Time to leave, as a `reconnect` frame named it.
    pub(super) leave_at: Option<Instant>,
    pub(super) successor: Option<BoxFuture<'static, Result<Found, ConnectError>>>,
}

/// Waits for the result of work that is under way; for ever without any.
pub(super) async fn of<T>(work: &mut Option<BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
