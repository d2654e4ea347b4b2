//! Admin calls on the partitions of the bus.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_bus::Spread;
use barrage_http::ApiError;
use barrage_protocol::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, read_body};

/// How the rooms are spread over the partitions of the bus.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PartitionsView {
    /// Wanted number of partitions.
    partitions: u16,
    /// Smallest number that can be set: `nats.partitions`.
    partitions_min: u16,
    /// Greatest number that can be set; 1 without NATS.
    partitions_max: u16,
    /// Number of rooms that are not in their partition yet. Uplinks move them one by one.
    rooms_to_move: usize,
    /// Number of rooms in each partition that was ever made; empty without NATS.
    rooms: Vec<usize>,
}

/// Another number of partitions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPartitions {
    /// Number of partitions that the rooms are to be spread over.
    partitions: u16,
}

impl From<Spread> for PartitionsView {
    fn from(spread: Spread) -> Self {
        let Spread { partitions, partitions_min, partitions_max, rooms, rooms_to_move } = spread;
        PartitionsView { partitions, partitions_min, partitions_max, rooms_to_move, rooms }
    }
}

/// Answers how the rooms are spread.
pub(super) async fn show(State(admin): State<Arc<AdminContext>>) -> Json<PartitionsView> {
    Json(admin.bus.spread().into())
}

/// Sets the number of partitions, and answers how the rooms are spread now.
pub(super) async fn set(
    State(admin): State<Arc<AdminContext>>,
    request_body: Body,
) -> Answer<PartitionsView> {
    let SetPartitions { partitions } = read_body(request_body).await?;
    let Spread { partitions_min: min, partitions_max: max, .. } = admin.bus.spread();
    if !(min..=max).contains(&partitions) {
        let problem = format!("partitions is {min} to {max} here; see docs/guide/operate.md, Partitions");
        return Err(ApiError::new(Code::BadRequest, problem));
    }
    admin.bus.set_partitions(partitions).await?;
    tracing::warn!(partitions, "an operator set the number of partitions; uplinks move the rooms");
    Ok(Json(admin.bus.spread().into()))
}
