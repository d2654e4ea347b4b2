//! The admin routes of entry: weights and factors of gateways, and pre-warms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use barrage_bus::Factor;
use barrage_http::{AdminRoutes, ApiError, body};
use barrage_protocol::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prewarm;
use crate::entry::Entry;
use crate::placement::Standing;

const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the admin routes; they are served only behind the check of admin tokens.
pub fn admin_router(entry: Arc<Entry>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/weights", get(weights))
        .route("/v1/admin/factors", put(put_factors).get(factors))
        .route("/v1/admin/prewarm", get(prewarm::list).post(prewarm::post))
        .route("/v1/admin/prewarm/{id}", delete(prewarm::delete))
        .with_state(entry);
    AdminRoutes::new(routes)
}

/// Weights of all gateways.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Weights {
    /// Gateways with their weights.
    weights: Vec<Standing>,
    /// Whether entry has no usable report, and spreads newcomers evenly.
    blind: bool,
}

/// Factors of gateways' weights.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FactorList {
    /// Factors in force, by gateway.
    factors: BTreeMap<String, Factor>,
}

/// Returns the weight of every gateway for newcomers.
async fn weights(State(entry): State<Arc<Entry>>) -> Json<Weights> {
    let now = entry.now();
    entry.weigh(now);
    let placer = entry.placer.lock();
    Json(Weights { weights: placer.standings(now), blind: placer.is_blind() })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutFactors {
    /// Share of its weight that a gateway keeps, 0 to 1, by gateway.
    factors: BTreeMap<String, f64>,
}

/// Sets factors that lapse after `weights.factor_secs`. Factors that are not named stay until they
/// lapse.
async fn put_factors(
    State(entry): State<Arc<Entry>>,
    request_body: Body,
) -> Result<Json<FactorList>, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let PutFactors { factors } = body::json(&bytes)?;
    let now_ms = barrage_clock::unix_ms();
    let life = Duration::try_from_secs_f64(entry.config.weights.factor_secs).unwrap_or_default();
    let until_ms = now_ms.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    let set = entry.factors.lock().take(factors, until_ms, now_ms);
    set.map_err(|why| ApiError::new(Code::BadRequest, why))?;
    Ok(list(&entry))
}

async fn factors(State(entry): State<Arc<Entry>>) -> Json<FactorList> {
    list(&entry)
}

/// Lists the factors of all entries; lapsed ones are left out.
fn list(entry: &Entry) -> Json<FactorList> {
    let all = entry.factors.lock().all(&entry.bus.entries(), barrage_clock::unix_ms());
    Json(FactorList { factors: all })
}
