//! Why the courier stopped.

use barrage_protocol::Sequence;
use barrage_store::InboxError;

/// Why the courier stopped. Another attempt cannot succeed without an operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CourierError {
    /// The database refused a batch for a reason that does not pass.
    #[error("lane {lane} cannot be taken on behind sequence {after}")]
    Store {
        /// Number of the lane.
        lane: u16,
        /// Position of the lane in the inbox.
        after: Sequence,
        /// Why the database refused it.
        #[source]
        source: InboxError,
    },
    /// The engine of the lanes has ended.
    #[error("the lanes have ended")]
    LanesEnded,
    /// A task of the courier panicked.
    #[error("a task of the courier ended early")]
    Task(#[from] tokio::task::JoinError),
}
