//! What the admin handlers share: handles, and the reading of bodies and queries.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use barrage_bus::Bus;
use barrage_http::{ApiError, body};
use barrage_protocol::Code;
use barrage_recorder::Recorder;
use barrage_store::{HISTORY_LIMIT_MAX, Store};
use barrage_trace::Tracer;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::ActionControl;
use crate::event_senders::EventSenderConfig;
use crate::inbox::InboxControl;
use crate::media::MediaLinks;
use crate::poll::PollControl;
use crate::record::{CheckLog, PostRecord};
use crate::room::RoomControl;
use crate::text::rfc3339;

const BODY_BYTES_MAX: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Items of a page when the query has no `limit`.
const PAGE_LIMIT_DEFAULT: usize = 100;

pub(super) type Answer<T> = Result<Json<T>, ApiError>;

/// Handles and limits that the admin handlers share.
pub(crate) struct AdminContext {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) polls: Arc<PollControl>,
    pub(crate) actions: Arc<ActionControl>,
    /// Reads references to media, and signs addresses.
    pub(crate) media: MediaLinks,
    pub(crate) check_log: Arc<CheckLog>,
    /// Letters and groups; `None` where they are off.
    pub(crate) inbox: Option<Arc<InboxControl>>,
    pub(crate) tracer: Tracer,
    pub(crate) recorder: Arc<Recorder<PostRecord>>,
    /// Rights to send custom events; empty means all rights for every admin.
    pub(crate) event_senders: Vec<EventSenderConfig>,
    /// Maximum characters (grapheme clusters) of an announcement; a longer one is refused.
    pub(crate) text_chars_max: usize,
    pub(crate) broadcast_rooms_at_once: usize,
    pub(crate) broadcast_timeout: Duration,
}

/// Reads a JSON body; an empty body counts as `{}`.
pub(super) async fn read_body<T: DeserializeOwned>(request_body: Body) -> Result<T, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    body::json(if bytes.is_empty() { b"{}" } else { &bytes })
}

pub(super) fn read_query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    Ok(query)
}

/// Checks the `limit` of a page: 1 to `HISTORY_LIMIT_MAX`, by default [`PAGE_LIMIT_DEFAULT`].
pub(super) fn page_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    let limit = limit.unwrap_or(PAGE_LIMIT_DEFAULT);
    if !(1..=HISTORY_LIMIT_MAX).contains(&limit) {
        return Err(ApiError::new(Code::BadRequest, format!("limit: 1 to {HISTORY_LIMIT_MAX}")));
    }
    Ok(limit)
}

/// A value with its time as RFC 3339.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Timed<T> {
    /// Time in RFC 3339, beside `at_ms`.
    at: String,
    #[serde(flatten)]
    value: T,
}

impl<T> Timed<T> {
    pub(super) fn new(at_ms: u64, value: T) -> Self {
        Timed { at: rfc3339(at_ms), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_limit_has_a_default_and_a_range() {
        assert_eq!(page_limit(None).unwrap(), PAGE_LIMIT_DEFAULT);
        assert_eq!(page_limit(Some(HISTORY_LIMIT_MAX)).unwrap(), HISTORY_LIMIT_MAX);
        for limit in [0, HISTORY_LIMIT_MAX + 1] {
            assert_eq!(page_limit(Some(limit)).unwrap_err().0.code, Code::BadRequest);
        }
    }
}
