//! Routes that the admin listener of every process has: health, metrics and the fleet report.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use barrage_bus::{Bus, InstanceReport, entry_load};
use barrage_exposition::Exposition;
use barrage_http::{AdminRoutes, ApiError};
use barrage_openapi::Method::Get;
use barrage_openapi::{Access, Body, Operation, Server};
use barrage_protocol::Code;
use barrage_scaling::{EntryLoad, FleetPrewarm};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::readiness::Readiness;
use crate::autoscale;
use crate::roles::Roles;
use crate::supervise::{Vital, Watch};

/// State that the handlers of health and metrics read.
#[derive(Clone)]
pub(crate) struct HealthContext {
    pub(crate) roles: Roles,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) readiness: Readiness,
    pub(crate) exposition: Exposition,
    /// Cancelled when the process starts to drain.
    pub(crate) drain: CancellationToken,
    pub(crate) tasks: Watch,
    /// Largest age of a task's heartbeat; a task with an older one is not well.
    pub(crate) heartbeat_max: Duration,
}

/// Returns the routes that need no token: health, readiness and metrics.
pub(crate) fn router(health: HealthContext) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Returns the routes that need a token of the role admin.
pub(crate) fn admin_router(health: HealthContext) -> AdminRoutes {
    AdminRoutes::new(Router::new().route("/v1/admin/fleet", get(fleet)).with_state(health))
}

/// Describes the routes of health, metrics and the fleet report.
pub(crate) fn operations() -> Vec<Operation> {
    let monitor =
        |id, path, summary| Operation::new(id, Get, path, summary).by(Server::Process, Access::Monitor);
    vec![
        monitor("health_show", "/healthz", "Reports whether every task of the process is well.")
            .answers::<Vitals>(200, "Every task is well.")
            .answers::<Vitals>(503, "A task has failed, or its heartbeat is old."),
        monitor("ready_show", "/readyz", "Reports whether the process accepts viewers and messages.").answer(
            200,
            "The process is ready.",
            Body::Media("text/plain"),
        ),
        monitor("metrics_show", "/metrics", "Returns all metrics.").answer(
            200,
            "Metrics in Prometheus' text format.",
            Body::Media("text/plain"),
        ),
        Operation::admin(
            Server::Process,
            "fleet_list",
            Get,
            "/v1/admin/fleet",
            "Lists every instance of the fleet with its newest report.",
        )
        .answers::<Fleet>(200, "Instances that reported lately."),
    ]
}

/// Answer of `GET /healthz`: every long-lived task.
#[derive(Serialize, JsonSchema)]
struct Vitals {
    /// `ok`, or `failing` when a task is not well.
    status: &'static str,
    /// Largest age of a heartbeat of a task that is well.
    beat_age_ms_max: u64,
    /// Long-lived tasks of the process.
    tasks: Vec<Vital>,
}

/// Answers 200 while no task has failed and each task has a young heartbeat. A process that drains
/// answers 200 as well.
async fn healthz(State(health): State<HealthContext>) -> impl IntoResponse {
    vitals(&health.tasks, health.heartbeat_max)
}

/// Returns the answer of `/healthz` of a process with these tasks.
pub(crate) fn vitals(tasks: &Watch, heartbeat_max: Duration) -> impl IntoResponse + use<> {
    let tasks = tasks.roster().vitals(heartbeat_max);
    let (code, status) = match tasks.iter().all(Vital::is_well) {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let beat_age_ms_max = u64::try_from(heartbeat_max.as_millis()).unwrap_or(u64::MAX);
    (code, Json(Vitals { status, beat_age_ms_max, tasks }))
}

/// Answers 200 while this process accepts viewers and messages, and can store them. Load does not
/// count: a load balancer must not drop a process because it is busy.
async fn readyz(State(health): State<HealthContext>) -> Result<&'static str, ApiError> {
    let not_ready = |why: &str| ApiError::new(Code::Unavailable, why).retry_after_ms(1_000);
    if health.drain.is_cancelled() {
        return Err(not_ready("this process drains"));
    }
    if let Some(reason) = health.readiness.why_not() {
        return Err(not_ready(&reason));
    }
    // Entry names gateways and uplinks to clients, so it needs one of each.
    let is_needed = |runs_here: bool| health.roles.entry || runs_here;
    if is_needed(health.roles.gateway) && health.bus.gateways().is_empty() {
        return Err(not_ready("no gateway has reported yet"));
    }
    if is_needed(health.roles.uplink) && health.bus.uplinks().is_empty() {
        return Err(not_ready("no uplink has reported yet"));
    }
    Ok("ready\n")
}

async fn metrics(State(health): State<HealthContext>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
    let (content_type, body) = health.exposition.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], body)
}

/// Answer of `GET /v1/admin/fleet`: every instance with a recent report.
#[derive(Serialize, JsonSchema)]
struct Fleet {
    /// Roles of the process that answers.
    process_roles: Vec<&'static str>,
    /// Instances of all processes, by role and id.
    instances: Vec<Instance>,
    /// Sum over all entries; absent when no entry has reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryLoad>,
    /// Prewarms that are announced and not over.
    prewarms: Vec<FleetPrewarm>,
}

#[derive(Serialize, JsonSchema)]
struct Instance {
    #[serde(flatten)]
    report: InstanceReport,
    /// Milliseconds since the instance's newest report arrived.
    report_age_ms: u64,
}

async fn fleet(State(health): State<HealthContext>) -> Json<Fleet> {
    let mut instances = health.bus.instances();
    instances.sort_by(|a, b| (a.report.role, &a.report.id).cmp(&(b.report.role, &b.report.id)));
    let entry = entry_load(&instances);
    let instances = instances.into_iter().map(|instance| Instance {
        report: instance.report,
        report_age_ms: u64::try_from(instance.age.as_millis()).unwrap_or(u64::MAX),
    });
    let now = barrage_clock::since_unix_epoch();
    let prewarms = autoscale::prewarms(&health.bus.settings().borrow(), now).collect();
    Json(Fleet { process_roles: health.roles.names(), instances: instances.collect(), entry, prewarms })
}
