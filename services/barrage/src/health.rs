//! What answers on the admin listener in every process: health, metrics, the fleet.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use barrage_bus::{Bus, InstanceReport, entry_load};
use barrage_http::{AdminRoutes, ApiError};
use barrage_protocol::Code;
use barrage_scaling::{EntryLoad, FleetPrewarm};
use http::StatusCode;
use prometheus::Registry;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::autoscale;
use crate::readiness::Readiness;
use crate::roles::Roles;
use crate::roster::Vital;
use crate::supervise::Watch;

/// What the resources look at.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) roles: Roles,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) readiness: Readiness,
    pub(crate) registry: Registry,
    pub(crate) front: CancellationToken,
    pub(crate) tasks: Watch,
    /// A task without a beat for longer is not well.
    pub(crate) beat_max: Duration,
}

/// The routes that answer without a token.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

pub(crate) fn admin_router(health: Health) -> AdminRoutes {
    AdminRoutes::new(Router::new().route("/v1/admin/fleet", get(fleet)).with_state(health))
}

/// `GET /healthz`: every long-lived task.
#[derive(Serialize)]
struct Vitals {
    status: &'static str,
    beat_age_ms_max: u64,
    tasks: Vec<Vital>,
}

/// Well while no task has failed and each beats. A drain is well.
async fn healthz(State(health): State<Health>) -> (StatusCode, Json<Vitals>) {
    let tasks = health.tasks.roster().vitals(health.beat_max);
    let (code, status) = match tasks.iter().all(Vital::is_well) {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let beat_age_ms_max = u64::try_from(health.beat_max.as_millis()).unwrap_or(u64::MAX);
    (code, Json(Vitals { status, beat_age_ms_max, tasks }))
}

/// Ready: takes viewers and messages, and can keep them. Load is never expressed here.
async fn ready(State(health): State<Health>) -> Result<&'static str, ApiError> {
    let refusal = |why: &str| ApiError::new(Code::Unavailable, why).retry_after_ms(1_000);
    if health.front.is_cancelled() {
        return Err(refusal("this process is leaving"));
    }
    if let Some(reason) = health.readiness.why_not() {
        return Err(refusal(&reason));
    }
    let is_needed = |serves_here: bool| health.roles.entry || serves_here;
    if is_needed(health.roles.gateway) && health.bus.gateways().is_empty() {
        return Err(refusal("no gateway has reported yet"));
    }
    if is_needed(health.roles.uplink) && health.bus.uplinks().is_empty() {
        return Err(refusal("no uplink has reported yet"));
    }
    Ok("ready\n")
}

async fn metrics(State(health): State<Health>) -> Result<String, ApiError> {
    prometheus::TextEncoder::new()
        .encode_to_string(&health.registry.gather())
        .map_err(|error| ApiError::new(Code::Internal, error.to_string()))
}

/// `GET /v1/admin/fleet`: every instance that reported lately.
#[derive(Serialize)]
struct Fleet {
    instances: Vec<Instance>,
    /// The sum over all entries; absent when none has reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryLoad>,
    /// Crowds that are announced and not over.
    prewarms: Vec<FleetPrewarm>,
}

#[derive(Serialize)]
struct Instance {
    #[serde(flatten)]
    report: InstanceReport,
    /// How old the report is.
    report_age_ms: u64,
}

async fn fleet(State(health): State<Health>) -> Json<Fleet> {
    let mut instances = health.bus.instances();
    instances.sort_by(|a, b| (a.report.role, &a.report.id).cmp(&(b.report.role, &b.report.id)));
    let entry = entry_load(&instances);
    let instances = instances.into_iter().map(|instance| Instance {
        report: instance.report,
        report_age_ms: u64::try_from(instance.age.as_millis()).unwrap_or(u64::MAX),
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let prewarms = autoscale::prewarms(&health.bus.settings().borrow(), now).collect();
    Json(Fleet { instances: instances.collect(), entry, prewarms })
}
