//! Admin calls that explain why posts were shown or not: traces and the flight recorder.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::{Code, MessageId};
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{AdminContext, Answer, Timed, read_query};
use crate::inbox::LetterTrail;
use crate::record::PostChecks;
use crate::room::parse_room_id;

/// The newest posts and letters under one id.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Posts {
    /// Posts with every check, newest first.
    posts: Vec<Timed<PostChecks>>,
    /// Letters and items of groups with their places, newest first.
    letters: Vec<Timed<LetterTrail>>,
}

/// Returns the traces of the newest posts and letters under a message id.
pub(super) async fn posts(State(admin): State<Arc<AdminContext>>, Path(id): Path<String>) -> Answer<Posts> {
    let id = MessageId::parse(&id).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let posts = admin.check_log.find(&id);
    let letters = match &admin.inbox {
        Some(inbox) => inbox.trails(&id).await,
        None => Vec::new(),
    };
    if posts.is_empty() && letters.is_empty() {
        let message = "this uplink has not seen that id lately, or refused it before it was read \
                       (by address, user or platform: the answer said so)";
        return Err(ApiError::new(Code::NotFound, message));
    }
    let posts = posts.into_iter().map(|post| Timed::new(post.at_ms(), post)).collect();
    let letters = letters.into_iter().map(|letter| Timed::new(letter.record.at_ms, letter)).collect();
    Ok(Json(Posts { posts, letters }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecorderQuery {
    /// Room of the records.
    #[schemars(with = "barrage_protocol::RoomId")]
    room: String,
}

/// Returns the posts of a room in the last minutes, as JSON Lines.
pub(super) async fn recorder(
    State(admin): State<Arc<AdminContext>>,
    query: Result<Query<RecorderQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let RecorderQuery { room } = read_query(query)?;
    let room = parse_room_id(&room)?;
    let dump =
        tokio::task::spawn_blocking(move || admin.recorder.dump(&room, "request", barrage_clock::unix_ms()));
    let dump = dump.await.map_err(|_| ApiError::new(Code::Internal, "the dump failed"))?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], dump).into_response())
}
