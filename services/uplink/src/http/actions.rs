//! The handlers of `POST .../actions`, `PUT .../roles/{user}` and `GET .../roles`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::action::{Action, ActionAnswer, ActionRequest, RoleRequest, RolesAnswer};
use barrage_protocol::{Code, UserId};
use barrage_token::Role;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use super::caller::caller;
use crate::room::{given_roles, in_room, parse_room_id, refuse_kicked};
use crate::uplink::Uplink;

/// Takes one action of a moderator. Its token and limits are checked before its body is read.
pub(super) async fn act(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let answer = take(&uplink, &room, client, &headers, request_body, |request: ActionRequest| request).await;
    respond(&uplink, answer)
}

/// Gives a user a role in the room, or takes it back.
pub(super) async fn put_role(
    State(uplink): State<Arc<Uplink>>,
    Path((room, user)): Path<(String, String)>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let user = match UserId::parse(&user) {
        Ok(user) => user,
        Err(error) => return respond(&uplink, Err(ApiError::new(Code::BadRequest, error.to_string()))),
    };
    let action =
        |RoleRequest { id, role, reason }| ActionRequest { id, action: Action::Role { user, role }, reason };
    let answer = take(&uplink, &room, client, &headers, request_body, action).await;
    respond(&uplink, answer)
}

/// Lists the roles that the room gave, for its moderators and above.
pub(super) async fn list_roles(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RolesAnswer>, ApiError> {
    let room = parse_room_id(&room)?;
    let by = caller(&uplink.keyring, &headers, &room)?;
    let settings = uplink.bus.settings().borrow().clone();
    if !settings.rooms.contains_key(&room) {
        return Err(ApiError::new(Code::UnknownRoom, "there is no such room"));
    }
    refuse_kicked(&settings, &room, &by.user, barrage_clock::unix_ms())?;
    let role = in_room(&settings, &room, &by).role;
    if role < Role::Moderator {
        let message = format!("your role in this room is {}, and its roles need moderator", role.label());
        return Err(ApiError::new(Code::Forbidden, message));
    }
    Ok(Json(given_roles(&settings, &room)))
}

async fn take<T: DeserializeOwned>(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
    request: impl FnOnce(T) -> ActionRequest,
) -> Result<ActionAnswer, ApiError> {
    let room = parse_room_id(room)?;
    let by = caller(&uplink.keyring, headers, &room)?;
    uplink.pipeline.admit(client.0, &room, &by).await?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    let request = request(body::json(&bytes)?);
    let answer = uplink.actions.act(&room, &by, &request).await?;
    uplink.metrics.acted(&request.action, answer.duplicate);
    Ok(answer)
}

/// Counts a refusal by its code, and makes the response.
fn respond(uplink: &Uplink, answer: Result<ActionAnswer, ApiError>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            error.into_response()
        }
    }
}
