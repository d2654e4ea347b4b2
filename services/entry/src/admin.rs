//! Entry's admin side: weights, factors, pre-warms.

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

use crate::prewarm;
use crate::routes::Entry;
use crate::unix::unix_ms;

const BODY_BYTES_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Entry's routes for the admin listener.
pub fn admin_router(entry: Arc<Entry>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/weights", get(weights))
        .route("/v1/admin/factors", put(put_factors).get(factors))
        .route("/v1/admin/prewarm", get(prewarm::list).post(prewarm::post))
        .route("/v1/admin/prewarm/{id}", delete(prewarm::delete))
        .with_state(entry);
    AdminRoutes::new(routes)
}

/// What every gateway is worth to newcomers.
async fn weights(State(entry): State<Arc<Entry>>) -> Json<Value> {
    let now = entry.started.elapsed();
    entry.weigh(now);
    let placer = entry.placer();
    Json(json!({ "weights": placer.standings(now), "blind": placer.is_blind() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutFactors {
    factors: BTreeMap<String, f64>,
}

/// Takes factors that lapse after `weights.factor_secs`; others stay until they do.
async fn put_factors(State(entry): State<Arc<Entry>>, request_body: Body) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let PutFactors { factors } = body::json(&bytes)?;
    let now_ms = unix_ms();
    let life = Duration::try_from_secs_f64(entry.config.weights.factor_secs).unwrap_or_default();
    let until_ms = now_ms.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    let taken = entry.factors().take(factors, until_ms, now_ms);
    taken.map_err(|why| ApiError::new(Code::BadRequest, why))?;
    Ok(answer(&entry))
}

async fn factors(State(entry): State<Arc<Entry>>) -> Json<Value> {
    answer(&entry)
}

/// Those of all entries.
fn answer(entry: &Entry) -> Json<Value> {
    let all = entry.factors().all(&entry.bus.entries(), unix_ms());
    Json(json!({ "factors": all }))
}
