//! Admin calls on the emotes of a room: show, replace all, put one, remove one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::EmoteWords;
use barrage_http::{ADMIN_BODY_BYTES_MAX, ApiError, body};
use barrage_protocol::emote::{Emote, EmoteSet, ROOM_EMOTES_MAX};
use barrage_protocol::{Code, RoomId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::context::{AdminContext, Answer, read_body};
use crate::room::check_emotes;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// One emote without its id, which the path has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutEmote {
    /// Word that stands for the emote: 2 to 32 characters without white space.
    name: String,
    /// Address of the image: `https://…`, or a path of the page's own host; `{px}` stands for a height.
    url: String,
    /// Heights of the image in CSS pixels, smallest first: 1 to 4, each 1 to 512.
    px: Vec<u16>,
    /// Whether the image moves.
    #[serde(default)]
    animated: bool,
}

/// Answers the emotes of a room, without those of the platform.
pub(super) async fn show(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    Ok(Json(stored(&admin, &room).set().clone()))
}

/// Replaces all emotes of a room. A set over the body of an admin call goes to the public route.
pub(super) async fn import(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    let bytes = body::read(request_body, ADMIN_BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let set: EmoteSet = body::json(&bytes)?;
    check_emotes(&set, ROOM_EMOTES_MAX)?;
    admin.control.set_emotes(Some(&room), set.clone(), None).await?;
    Ok(Json(set))
}

/// Adds an emote to a room, or changes the one of this id.
pub(super) async fn put(
    State(admin): State<Arc<AdminContext>>,
    Path((room, id)): Path<(String, String)>,
    request_body: Body,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    let PutEmote { name, url, px, animated } = read_body(request_body).await?;
    let emote = Emote { id, name, url, px, animated };
    let before = stored(&admin, &room);
    let mut set = before.set().clone();
    match set.emotes.iter_mut().find(|known| known.id == emote.id) {
        Some(known) => *known = emote,
        None => set.emotes.push(emote),
    }
    check_emotes(&set, ROOM_EMOTES_MAX)?;
    admin.control.set_emotes(Some(&room), set.clone(), Some(before)).await?;
    Ok(Json(set))
}

/// Removes one emote of a room. Fails for an emote that the room does not have.
pub(super) async fn remove(
    State(admin): State<Arc<AdminContext>>,
    Path((room, id)): Path<(String, String)>,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    let before = stored(&admin, &room);
    let mut set = before.set().clone();
    set.emotes.retain(|emote| emote.id != id);
    if set.emotes.len() == before.set().emotes.len() {
        return Err(ApiError::new(Code::NotFound, "the room has no emote of this id"));
    }
    admin.control.set_emotes(Some(&room), set.clone(), Some(before)).await?;
    Ok(Json(set))
}

fn stored(admin: &AdminContext, room: &RoomId) -> EmoteWords {
    admin.control.settings().room_emotes.get(room).cloned().unwrap_or_default()
}
