//! Admin calls on the switches of the platform.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::{Change, SwitchView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::{AdminContext, Answer, read_body};

/// All switches of the platform.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Switches {
    /// Switches with their values and effects.
    switches: Vec<SwitchView>,
}

/// Lists all switches with the values that are in force in this process.
pub(super) async fn list(State(admin): State<Arc<AdminContext>>) -> Json<Switches> {
    Json(Switches { switches: admin.control.settings().switches.list() })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetSwitch {
    /// New value: one of the switch's `values`.
    value: Value,
}

/// Sets one switch for all processes, and answers with all switches.
pub(super) async fn set(
    State(admin): State<Arc<AdminContext>>,
    Path(name): Path<String>,
    request_body: Body,
) -> Answer<Switches> {
    let SetSwitch { value } = read_body(request_body).await?;
    let changed = admin.bus.change(Change::Switch { name: name.clone(), value }).await?;
    tracing::warn!(switch = name, "an operator set a switch");
    Ok(Json(Switches { switches: changed.switches().list() }))
}
