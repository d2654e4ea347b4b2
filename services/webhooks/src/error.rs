//! Errors that stop webhooks. Other failures are retried.

use barrage_protocol::Sequence;
use barrage_store::StoreError;

use crate::signature::SecretsError;

/// A failure that only an operator can repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhooksError {
    /// The HTTP client of a receiver cannot be built.
    #[error("the client of the receiver {name} cannot be built")]
    Client {
        /// Name of the receiver.
        name: String,
        /// Reason of the HTTP library.
        #[source]
        source: reqwest::Error,
    },
    /// The configuration of a receiver is wrong; the check of the configuration finds it before.
    #[error("webhooks: {0}")]
    Config(String),
    /// The file with a receiver's secrets cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The store refuses an event permanently. Skipping it would lose it.
    #[error("the store refuses an event")]
    Store(#[source] StoreError),
    /// The bus ends before the position of a receiver: it was reset, or is another one.
    #[error(
        "the bus ends at {tail} in partition {partition} but webhooks were read up to {mark}; restore the bus or use a new store"
    )]
    BusBehind {
        /// Number of the partition of the bus, from 0.
        partition: u16,
        /// Newest position of the bus in the partition.
        tail: Sequence,
        /// Position of the receiver.
        mark: Sequence,
    },
    /// The bus stopped before webhooks did.
    #[error("the bus has stopped")]
    BusStopped,
}
