//! Admin calls that act in a room as its moderators do, and show roles and attributes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, RecordedElsewhere};
use barrage_protocol::action::{ActionRequest, RolesAnswer};
use barrage_protocol::attribute::AttributesAnswer;
use barrage_token::Identity;

use super::context::{AdminContext, Answer, read_body};
use crate::attribute;
use crate::room::given_roles;

/// Lists the roles that a room gave.
pub(super) async fn roles(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<RolesAnswer> {
    let id = admin.control.known_room(&room)?;
    Ok(Json(given_roles(&admin.control.settings(), &id)))
}

/// Lists the attributes of a room with the rules of their writers.
pub(super) async fn attributes(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<AttributesAnswer> {
    let id = admin.control.known_room(&room)?;
    Ok(Json(attribute::all(&admin.control.settings(), &id)))
}

/// Takes one action of a moderator, by an admin. The action has its own line in the audit log.
pub(super) async fn act(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    Extension(by): Extension<Identity>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let id = admin.control.known_room(&room)?;
    let request: ActionRequest = read_body(request_body).await?;
    let answer = admin.actions.act(&id, &by, &request).await?;
    Ok((Extension(RecordedElsewhere), Json(answer)).into_response())
}
