//! Admin calls on webhooks: receivers, the delivery log, replays. They read and write the store, which
//! the sending process shares.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use barrage_http::ApiError;
use barrage_protocol::Code;
use barrage_store::{DeliveryCounts, DeliveryLine, DeliveryState, EndpointRecord, Replay, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, Timed, page_limit, read_body, read_query};

/// Maximum length of the id of an event.
const EVENT_BYTES_MAX: usize = 256;

/// All receivers with their state.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookList {
    /// Receivers in the order of their names.
    endpoints: Vec<WebhookView>,
}

/// A receiver with the numbers of its events.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookView {
    #[serde(flatten)]
    endpoint: EndpointRecord,
    #[serde(flatten)]
    counts: DeliveryCounts,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    /// Lists the deliveries in this state alone.
    state: Option<DeliveryState>,
    /// Lists lines with a smaller id: `next_before` of the page before.
    before: Option<u64>,
    /// Lines of a page, 1 to 1,000; 100 when absent.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<usize>,
}

/// A page of the delivery log of a receiver.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveriesPage {
    /// Deliveries, the newest one first.
    deliveries: Vec<Timed<DeliveryLine>>,
    /// Value of `before` for the next page; absent or null on the last page.
    next_before: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// Id of one event to send again; without `since_ms`.
    #[schemars(length(min = 1, max = 256))]
    event: Option<String>,
    /// Sends the events since this time again, Unix milliseconds; without `event`.
    since_ms: Option<u64>,
    /// State of the events since `since_ms`; `failed` when absent.
    state: Option<DeliveryState>,
}

/// Number of events that are sent again.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replayed {
    /// Events that wait again.
    replayed: u64,
}

/// The answer to an enabled receiver.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Enabled {
    /// Name of the receiver, to which events are sent within seconds.
    enabled: String,
}

fn away(error: &StoreError) -> ApiError {
    tracing::warn!(%error, "the deliveries of webhooks cannot be read or changed");
    ApiError::new(Code::Unavailable, "the deliveries cannot be read or changed now").retry_after_ms(1_000)
}

async fn known(admin: &AdminContext, endpoint: &str) -> Result<EndpointRecord, ApiError> {
    let found = admin.store.deliveries().endpoint(endpoint).await.map_err(|error| away(&error))?;
    let message = "there is no receiver with this name; GET /v1/admin/webhooks lists them";
    found.ok_or_else(|| ApiError::new(Code::NotFound, message))
}

/// Lists all receivers that a sending process has started with.
pub(super) async fn list(State(admin): State<Arc<AdminContext>>) -> Answer<WebhookList> {
    let deliveries = admin.store.deliveries();
    let mut endpoints = Vec::new();
    for endpoint in deliveries.endpoints().await.map_err(|error| away(&error))? {
        let counts = deliveries.delivery_counts(&endpoint.name).await.map_err(|error| away(&error))?;
        endpoints.push(WebhookView { endpoint, counts });
    }
    Ok(Json(WebhookList { endpoints }))
}

/// Lists the deliveries of a receiver, newest first.
pub(super) async fn deliveries(
    State(admin): State<Arc<AdminContext>>,
    Path(endpoint): Path<String>,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Answer<DeliveriesPage> {
    let DeliveriesQuery { state, before, limit } = read_query(query)?;
    let limit = page_limit(limit)?;
    known(&admin, &endpoint).await?;
    let log = admin.store.deliveries().delivery_log(&endpoint, state, before, limit).await;
    let lines = log.map_err(|error| away(&error))?;
    let next_before = (lines.len() == limit).then(|| lines.last().map(|line| line.id)).flatten();
    let deliveries = lines.into_iter().map(|line| Timed::new(line.at_ms, line)).collect();
    Ok(Json(DeliveriesPage { deliveries, next_before }))
}

/// Sends events again, under their ids and with all attempts before them.
pub(super) async fn replay(
    State(admin): State<Arc<AdminContext>>,
    Path(endpoint): Path<String>,
    request_body: Body,
) -> Answer<Replayed> {
    let request: ReplayRequest = read_body(request_body).await?;
    let selected = match (&request.event, request.since_ms) {
        (Some(event), None) if (1..=EVENT_BYTES_MAX).contains(&event.len()) && request.state.is_none() => {
            Replay::Event(event)
        }
        (None, Some(from_ms)) => {
            Replay::Since { state: request.state.unwrap_or(DeliveryState::Failed), from_ms }
        }
        _ => {
            let message = "name one event by `event`, or many by `since_ms` and perhaps `state`";
            return Err(ApiError::new(Code::BadRequest, message));
        }
    };
    known(&admin, &endpoint).await?;
    let now_ms = barrage_clock::unix_ms();
    let replayed = admin.store.deliveries().replay(&endpoint, selected, now_ms).await;
    let replayed = replayed.map_err(|error| away(&error))?;
    if replayed == 0 && request.event.is_some() {
        return Err(ApiError::new(Code::NotFound, "the delivery log has no event with this id"));
    }
    Ok(Json(Replayed { replayed }))
}

/// Enables a receiver that answered 410. Its events that wait are sent within seconds.
pub(super) async fn enable(
    State(admin): State<Arc<AdminContext>>,
    Path(endpoint): Path<String>,
) -> Answer<Enabled> {
    known(&admin, &endpoint).await?;
    let enabled = admin.store.deliveries().disable_endpoint(&endpoint, None).await;
    enabled.map_err(|error| away(&error))?;
    Ok(Json(Enabled { enabled: endpoint }))
}
