//! The picture of a chat: one of its sender, or a sticker.

use barrage_bus::Settings;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::Post;
use barrage_protocol::{Code, RoomId};
use barrage_token::Identity;

use super::compose::Content;
use super::speak;
use crate::media::MediaLinks;

/// Gives a chat its picture. Returns what was checked; `None` for a post without a picture.
///
/// A sticker of the room's own set needs no rule: the host has put it there. One of the platform's set is admitted as a
/// picture is.
///
/// # Errors
/// A refusal where the room or the platform admits no picture, and of one that does not exist.
pub(super) fn attach(
    links: &MediaLinks,
    settings: &Settings,
    (room, by): (&RoomId, &Identity),
    post: &Post,
    content: &mut Content<'_>,
) -> Result<Option<&'static str>, Refusal> {
    let Post::Chat { media, sticker, .. } = post else { return Ok(None) };
    let speaking = settings.rooms.get(room).map(|it| it.speak_in_force()).unwrap_or_default();
    match (media, sticker) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::BadRequest, "sticker: name a sticker or media, not both"))
        }
        (Some(reference), None) => {
            speak::may_attach(speaking, by, settings.switches.text_only)?;
            content.set_media(links.picture(reference, &by.user)?);
            Ok(Some("reference and rule of the room"))
        }
        (None, Some(id)) => {
            speak::may_show(settings.switches.text_only)?;
            if let Some(found) = links.sticker(settings.room_emotes.get(room), id) {
                content.set_media(found);
                return Ok(Some("sticker of the room"));
            }
            let found = links.sticker(Some(&settings.platform_emotes), id);
            let found =
                found.ok_or_else(|| Refusal::new(Code::NotFound, "sticker: the room has no such sticker"))?;
            speak::may_attach(speaking, by, settings.switches.text_only)?;
            content.set_media(found);
            Ok(Some("sticker of the platform, and rule of the room"))
        }
    }
}
