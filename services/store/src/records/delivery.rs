//! Deliveries of webhooks: events that wait for a receiver, and the log of those that are over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of one event for one receiver; its label is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its next attempt.
    Pending,
    /// The receiver answered with a status of 200 to 299.
    Delivered,
    /// No attempt is left, or the event became too old. A replay makes it wait again.
    Failed,
}

impl DeliveryState {
    /// All states, in the order of their course.
    pub const ALL: [DeliveryState; 3] =
        [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed];

    /// Returns the stable name in the database, in queries and in exports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }

    /// Returns the state with this label; `None` for an unknown one.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }
}

/// An event that a receiver has not got yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Id of the event: a second one of a receiver with the same id is ignored.
    pub event: String,
    /// Type of the event, such as `gift.created`.
    pub kind: String,
    /// Unix time of the event in milliseconds.
    pub at_ms: u64,
    /// Body of the request, exactly as it is sent and signed.
    pub body: String,
}

/// An event that waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDelivery {
    /// Number of the row, by which an attempt is recorded.
    pub id: u64,
    /// Id of the event, the same in every attempt.
    pub event: String,
    /// Type of the event, such as `gift.created`.
    pub kind: String,
    /// Unix time of the event in milliseconds.
    pub at_ms: u64,
    /// Body of the request.
    pub body: String,
    /// Number of attempts so far.
    pub attempts: u32,
    /// Unix time in milliseconds from which the next attempt may be made.
    pub next_at_ms: u64,
}

/// Outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// State after the attempt.
    pub state: DeliveryState,
    /// Attempts with this one.
    pub attempts: u32,
    /// Unix time in milliseconds of the next attempt of a pending delivery.
    pub next_at_ms: u64,
    /// Unix time in milliseconds of this attempt.
    pub at_ms: u64,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why the attempt failed, without secrets.
    pub error: Option<String>,
}

/// One line of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryLine {
    /// Number of the line, by which the next page is asked for.
    pub id: u64,
    /// Id of the event, as the receiver sees it in `webhook-id`.
    pub event: String,
    /// Type of the event, such as `gift.created`.
    pub kind: String,
    /// Unix time of the event in milliseconds.
    pub at_ms: u64,
    /// State of the delivery now.
    pub state: DeliveryState,
    /// Number of attempts so far.
    pub attempts: u32,
    /// Unix time in milliseconds of the next attempt of a pending delivery.
    pub next_at_ms: Option<u64>,
    /// Unix time in milliseconds of the last attempt.
    pub attempted_at_ms: Option<u64>,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A receiver as the sending process last knew it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EndpointRecord {
    /// Name of the receiver in the configuration.
    pub name: String,
    /// URL without its path, user and query, which may have secrets.
    pub url: String,
    /// Types of events that it gets, joined by commas.
    pub events: String,
    /// Why nothing is sent: the receiver answered 410. Absent for a receiver in use.
    pub disabled_reason: Option<String>,
    /// Unix time in milliseconds since when nothing is sent.
    pub disabled_at_ms: Option<u64>,
    /// Unix time in milliseconds at which a sending process last started with this receiver.
    pub seen_at_ms: u64,
}

/// Numbers of the deliveries of one receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryCounts {
    /// Number of events that wait.
    pub pending: u64,
    /// Unix time in milliseconds of the oldest event that waits; absent when none does.
    pub oldest_pending_at_ms: Option<u64>,
    /// Lines of the log that were delivered.
    pub delivered: u64,
    /// Lines of the log that have failed for good.
    pub failed: u64,
}

/// Deliveries that a replay selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay<'a> {
    /// The delivery of one event, by its id.
    Event(&'a str),
    /// All deliveries in a state with events from a time on, Unix milliseconds.
    Since {
        /// State of the deliveries; `Pending` makes them due at once.
        state: DeliveryState,
        /// Unix time in milliseconds of the oldest event.
        from_ms: u64,
    },
}
