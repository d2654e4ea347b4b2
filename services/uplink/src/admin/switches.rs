//! Admin calls on the switches of the platform.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::Change;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{AdminContext, Answer, read_body};

/// Lists all switches with the values that are in force in this process.
pub(super) async fn list(State(admin): State<Arc<AdminContext>>) -> Json<Value> {
    Json(json!({ "switches": admin.control.settings().switches.list() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSwitch {
    value: Value,
}

/// Sets one switch for all processes, and answers with all switches.
pub(super) async fn set(
    State(admin): State<Arc<AdminContext>>,
    Path(name): Path<String>,
    request_body: Body,
) -> Answer {
    let SetSwitch { value } = read_body(request_body).await?;
    let changed = admin.bus.change(Change::Switch { name: name.clone(), value }).await?;
    tracing::warn!(switch = name, "an operator set a switch");
    Ok(Json(json!({ "switches": changed.switches().list() })))
}
