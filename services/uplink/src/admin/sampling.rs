//! Admin calls on the sampling of traces.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_bus::Change;
use barrage_http::ApiError;
use barrage_protocol::Code;
use barrage_trace::SamplingConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::context::{AdminContext, Answer, read_body};

/// Sampling of traces in this process.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SamplingView {
    /// Whether this process exports traces.
    exporting: bool,
    /// Sampling in force: the configuration of this process with the changed keys over it.
    sampling: SamplingConfig,
    /// Keys that were changed for all processes.
    changed: Map<String, Value>,
}

/// Keys of `[trace.sampling]` that were changed for all processes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SamplingChanged {
    /// All changed keys with their values; other keys have the values of the configuration.
    changed: Map<String, Value>,
}

/// Keys of `[trace.sampling]` with new values; `null` returns a key to the configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct SamplingPatch(Map<String, Value>);

/// Answers the sampling of this process and the keys that were changed for all.
pub(super) async fn show(State(admin): State<Arc<AdminContext>>) -> Json<SamplingView> {
    Json(SamplingView {
        exporting: admin.tracer.is_on(),
        sampling: SamplingConfig::clone(&admin.tracer.sampling()),
        changed: admin.control.settings().sampling.values().clone(),
    })
}

/// Changes keys for all processes, and answers with all changed keys.
pub(super) async fn set(
    State(admin): State<Arc<AdminContext>>,
    request_body: Body,
) -> Answer<SamplingChanged> {
    let SamplingPatch(patch) = read_body(request_body).await?;
    SamplingConfig::check(&patch).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let changed = admin.bus.change(Change::Sampling(patch)).await?;
    tracing::warn!("an operator changed the sampling of traces");
    Ok(Json(SamplingChanged { changed: changed.sampling().values().clone() }))
}
