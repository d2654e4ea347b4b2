//! Admin calls on polls, for backends and operators. Moderators have calls of their own on the public
//! listener.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_protocol::poll::{PollAnswer, PollList, PollRequest};

use super::context::{AdminContext, Answer, read_body};
use crate::poll::PollAuthor;

/// Lists the last polls of a room.
pub(super) async fn list(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<PollList> {
    let id = admin.control.known_room(&room)?;
    Ok(Json(admin.polls.list(&id, PollAuthor::Admin).await?))
}

/// Opens a poll in a room.
pub(super) async fn open(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<PollAnswer> {
    let id = admin.control.known_room(&room)?;
    let request: PollRequest = read_body(request_body).await?;
    Ok(Json(admin.polls.open(&id, PollAuthor::Admin, &request).await?))
}

/// Closes a poll before its end.
pub(super) async fn close(
    State(admin): State<Arc<AdminContext>>,
    Path((room, poll)): Path<(String, String)>,
) -> Answer<PollAnswer> {
    let id = admin.control.known_room(&room)?;
    Ok(Json(admin.polls.close(&id, PollAuthor::Admin, &poll).await?))
}
