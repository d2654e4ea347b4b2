//! Admin calls that revoke the tokens of one user or of all users.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::Change;
use barrage_http::ApiError;
use barrage_protocol::{Code, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, read_body};
use crate::text::rfc3339;

/// The time before which tokens are revoked.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Revoked {
    /// User whose tokens are revoked; absent when those of all users are.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    /// Tokens that were made before this time (RFC 3339) are refused.
    before: String,
}

/// Revokes the tokens of one user that were minted up to now.
pub(super) async fn revoke_user(
    State(admin): State<Arc<AdminContext>>,
    Path(user): Path<String>,
) -> Answer<Revoked> {
    let user = UserId::parse(&user).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let before = revoke(&admin, Some(user.clone())).await?;
    Ok(Json(Revoked { user: Some(user), before }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAll {
    /// Must be true, so that no empty body revokes everything.
    all: bool,
}

/// Revokes the tokens of all users that were minted up to now, the caller's included.
pub(super) async fn revoke_all(
    State(admin): State<Arc<AdminContext>>,
    request_body: Body,
) -> Answer<Revoked> {
    let RevokeAll { all } = read_body(request_body).await?;
    if !all {
        let message = "all: must be true; POST /v1/admin/users/{user}/revoke revokes those of one user";
        return Err(ApiError::new(Code::BadRequest, message));
    }
    Ok(Json(Revoked { user: None, before: revoke(&admin, None).await? }))
}

/// Returns the time from which new tokens are valid. Tokens hold whole seconds, so the current
/// second counts as over: otherwise a token of this second would stay valid.
async fn revoke(admin: &AdminContext, user: Option<UserId>) -> Result<String, ApiError> {
    let before_secs = barrage_clock::unix_ms() / 1_000 + 1;
    admin.bus.change(Change::Revoke { user, before_secs }).await?;
    Ok(rfc3339(before_secs * 1_000))
}
