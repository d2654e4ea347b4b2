//! The admin routes of entry: weights and factors of gateways, and pre-warms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use barrage_http::{AdminRoutes, ApiError, body};
use barrage_protocol::Code;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prewarm;
use crate::entry::Entry;

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

/// Returns the weight of every gateway for newcomers.
async fn weights(State(entry): State<Arc<Entry>>) -> Json<Value> {
    let now = entry.now();
    entry.weigh(now);
    let placer = entry.placer.lock();
    Json(json!({ "weights": placer.standings(now), "blind": placer.is_blind() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutFactors {
    factors: BTreeMap<String, f64>,
}

/// Sets factors that lapse after `weights.factor_secs`. Factors that are not named stay until they
/// lapse.
async fn put_factors(State(entry): State<Arc<Entry>>, request_body: Body) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let PutFactors { factors } = body::json(&bytes)?;
    let now_ms = barrage_clock::unix_ms();
    let life = Duration::try_from_secs_f64(entry.config.weights.factor_secs).unwrap_or_default();
    let until_ms = now_ms.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    let set = entry.factors.lock().take(factors, until_ms, now_ms);
    set.map_err(|why| ApiError::new(Code::BadRequest, why))?;
    Ok(list(&entry))
}

async fn factors(State(entry): State<Arc<Entry>>) -> Json<Value> {
    list(&entry)
}

/// Lists the factors of all entries; lapsed ones are left out.
fn list(entry: &Entry) -> Json<Value> {
    let all = entry.factors.lock().all(&entry.bus.entries(), barrage_clock::unix_ms());
    Json(json!({ "factors": all }))
}
