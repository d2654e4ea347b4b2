//! The trait of the deliveries of webhooks, which both engines implement.

use async_trait::async_trait;
use barrage_protocol::Sequence;

use crate::error::StoreError;
use crate::records::delivery::{
    Attempt, DeliveryCounts, DeliveryLine, DeliveryState, EndpointRecord, NewDelivery, PendingDelivery,
    Replay,
};

/// Receivers of webhooks with their positions on the bus, the events that wait, and the delivery log.
/// Every call is one transaction. Every `limit` is clamped to 1 up to [`crate::HISTORY_LIMIT_MAX`].
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// Creates a receiver, or updates its URL, events and time; keeps whether it is disabled.
    async fn put_endpoint(&self, endpoint: &EndpointRecord) -> Result<(), StoreError>;

    /// Returns all receivers, in the order of their names.
    async fn endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError>;

    /// Returns one receiver; `None` when no process has started with it.
    async fn endpoint(&self, name: &str) -> Result<Option<EndpointRecord>, StoreError>;

    /// Disables a receiver with a reason and a time, or enables it with `None`. Returns whether the
    /// receiver exists.
    async fn disable_endpoint(&self, name: &str, reason: Option<(&str, u64)>) -> Result<bool, StoreError>;

    /// Returns the position of a receiver in a partition; `None` before the first.
    async fn mark(&self, endpoint: &str, partition: u16) -> Result<Option<Sequence>, StoreError>;

    /// Stores events of a receiver, and moves its position in the partition, in one transaction. Events
    /// with a stored id stay as they are.
    async fn enqueue(
        &self,
        endpoint: &str,
        partition: u16,
        mark: Sequence,
        events: &[NewDelivery],
    ) -> Result<(), StoreError>;

    /// Returns events of a receiver that wait, in the order of their next attempts.
    async fn pending(&self, endpoint: &str, limit: usize) -> Result<Vec<PendingDelivery>, StoreError>;

    /// Records an attempt and its answer.
    async fn record_attempt(&self, id: u64, attempt: &Attempt) -> Result<(), StoreError>;

    /// Returns a page of the delivery log of a receiver, newest first. `before` is the last id of the
    /// previous page.
    async fn delivery_log(
        &self,
        endpoint: &str,
        state: Option<DeliveryState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeliveryLine>, StoreError>;

    /// Counts the deliveries of a receiver by state.
    async fn delivery_counts(&self, endpoint: &str) -> Result<DeliveryCounts, StoreError>;

    /// Makes deliveries wait again from `now_ms` on, with all attempts before them. Returns their number.
    async fn replay(&self, endpoint: &str, replay: Replay<'_>, now_ms: u64) -> Result<u64, StoreError>;

    /// Deletes up to `limit` lines of the log, oldest first: those that are over and whose event is
    /// older than `before_ms`, or beyond the newest `lines_max`. Returns their number.
    async fn sweep_deliveries(
        &self,
        endpoint: &str,
        before_ms: u64,
        lines_max: usize,
        limit: usize,
    ) -> Result<u64, StoreError>;
}
