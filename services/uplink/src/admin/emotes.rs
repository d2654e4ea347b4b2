//! Admin calls on the emotes of a room: show, replace all, put one, remove one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use barrage_bus::EmoteWords;
use barrage_http::{ADMIN_BODY_BYTES_MAX, ApiError, body};
use barrage_protocol::emote::{Emote, EmoteKind, EmoteSet, ROOM_EMOTES_MAX};
use barrage_protocol::{Code, MediaReference, RoomId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::context::{AdminContext, Answer, read_body};
use crate::media::PutBy;
use crate::room::check_emotes;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// One emote without its id, which the path has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutEmote {
    /// Word that stands for the emote: 2 to 32 characters without white space.
    name: String,
    /// Address of the image: `https://…`, or a path of the page's own host; `{px}` stands for a height.
    #[serde(default)]
    url: String,
    /// Heights of the image in CSS pixels, smallest first: 1 to 4, each 1 to 512.
    #[serde(default)]
    px: Vec<u16>,
    /// Whether the image moves.
    #[serde(default)]
    animated: bool,
    /// Where the picture is used: in texts, as a sticker or as a badge.
    #[serde(default)]
    kind: EmoteKind,
    /// Instead of `url` and `px`: reference to a picture of the media hosts, whoever has uploaded it.
    reference: Option<MediaReference>,
}

/// Answers the emotes of a room, without those of the platform.
pub(super) async fn show(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    Ok(Json(admin.media.shown_emotes(&stored(&admin, &room)).set().clone()))
}

/// Replaces all emotes of a room. A set over the body of an admin call goes to the public route.
pub(super) async fn import(
    State(admin): State<Arc<AdminContext>>,
    Path(room): Path<String>,
    request_body: Body,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    let bytes = body::read(request_body, ADMIN_BODY_BYTES_MAX, BODY_TIMEOUT).await?;
    let mut set: EmoteSet = body::json(&bytes)?;
    let before = stored(&admin, &room);
    let has_kept = admin.media.put_pictures(&mut set, &before, PutBy::Operator)?;
    check_emotes(&set, ROOM_EMOTES_MAX)?;
    admin.control.set_emotes(Some(&room), set.clone(), has_kept.then_some(before)).await?;
    Ok(Json(set))
}

/// Adds an emote to a room, or changes the one of this id.
pub(super) async fn put(
    State(admin): State<Arc<AdminContext>>,
    Path((room, id)): Path<(String, String)>,
    request_body: Body,
) -> Answer<EmoteSet> {
    let room = admin.control.known_room(&room)?;
    let PutEmote { name, url, px, animated, kind, reference } = read_body(request_body).await?;
    let emote = Emote { id, name, url, px, animated, kind, media: None, reference };
    let before = stored(&admin, &room);
    let mut set = before.set().clone();
    match set.emotes.iter_mut().find(|known| known.id == emote.id) {
        Some(known) => *known = emote,
        None => set.emotes.push(emote),
    }
    admin.media.put_pictures(&mut set, &before, PutBy::Operator)?;
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
