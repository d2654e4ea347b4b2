//! Admin calls on media in messages.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_protocol::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, read_body};
use crate::media;

/// Names the medium; another field is refused, so that a misspelt one removes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveMedium {
    /// Medium that no message shows from now on.
    digest: Digest,
}

/// Names a medium that was removed everywhere.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowMedium {
    /// Medium whose file may be uploaded again.
    digest: Digest,
}

/// A medium that was removed everywhere.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RemovedMedium {
    /// Medium that was removed, also when none of this digest was there: it cannot be uploaded.
    digest: Digest,
    /// Unix time of the removal in milliseconds; that of an earlier one stays.
    removed_at_ms: u64,
}

/// Removes a medium from all messages and from the store.
pub(super) async fn remove(
    State(admin): State<Arc<AdminContext>>,
    request_body: Body,
) -> Answer<RemovedMedium> {
    let RemoveMedium { digest } = read_body(request_body).await?;
    let removed_at_ms = media::remove(&*admin.bus, digest).await?;
    Ok(Json(RemovedMedium { digest, removed_at_ms }))
}

/// Lifts the removal of a medium. Its bytes come back with the next upload alone.
pub(super) async fn allow(State(admin): State<Arc<AdminContext>>, request_body: Body) -> Answer<AllowMedium> {
    let AllowMedium { digest } = read_body(request_body).await?;
    media::allow(&*admin.bus, digest).await?;
    Ok(Json(AllowMedium { digest }))
}
