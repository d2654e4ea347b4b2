//! Media in messages: references that senders give, and addresses that readers get.

mod emotes;

use std::sync::Arc;

use barrage_bus::{Bus, Change};
use barrage_protocol::code::Refusal;
use barrage_protocol::media::{RoomMedium, RoomMediumState};
use barrage_protocol::post::HistoryMessage;
use barrage_protocol::{Code, Digest, MediaKind, MediaReference, MediaView, UserId};
use barrage_token::AddressKeys;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub(crate) use emotes::PutBy;

/// Reads references to media and signs addresses, without a question to the role media. Without keys, messages have no
/// media. What was removed everywhere is in no message.
#[derive(Clone)]
pub(crate) struct MediaLinks {
    keys: Option<Arc<AddressKeys>>,
    bus: Arc<dyn Bus>,
}

impl MediaLinks {
    pub(crate) const fn new(keys: Option<Arc<AddressKeys>>, bus: Arc<dyn Bus>) -> Self {
        MediaLinks { keys, bus }
    }

    /// Returns the medium that a sender refers to, without addresses.
    ///
    /// # Errors
    /// A refusal of a reference that is false, has ended or is of another user, and of all where there are no media.
    pub(crate) fn resolve(&self, reference: &MediaReference, by: &UserId) -> Result<MediaView, Refusal> {
        self.allowed(self.keys()?.resolve(reference, by, now_secs())?.media)
    }

    /// Refuses a medium that was removed everywhere.
    fn allowed(&self, media: MediaView) -> Result<MediaView, Refusal> {
        if self.is_removed(media.digest) {
            return Err(Refusal::new(Code::Forbidden, "media: this file is not allowed here"));
        }
        Ok(media)
    }

    /// Returns the picture or clip that a sender refers to, with addresses.
    ///
    /// # Errors
    /// As [`MediaLinks::resolve`], for a medium of another kind, and for a clip without a cover: the list, the stage and the
    /// moderators of a room see the cover.
    pub(crate) fn picture(&self, reference: &MediaReference, by: &UserId) -> Result<MediaView, Refusal> {
        let media = self.resolve(reference, by)?;
        let has_cover = media.variants.first().is_some_and(|form| form.media_type.starts_with("image/"));
        match media.kind {
            MediaKind::Image => {}
            MediaKind::Video if has_cover => {}
            MediaKind::Video => {
                let message = "media: a clip in a room needs a cover; ask for its reference with `cover`";
                return Err(Refusal::new(Code::BadRequest, message));
            }
            MediaKind::Audio | MediaKind::File => {
                let message = "media: a room takes pictures, stickers and clips alone";
                return Err(Refusal::new(Code::BadRequest, message));
            }
        }
        Ok(self.keys()?.with_addresses(&media, now_secs()))
    }

    /// Returns a body with addresses that are signed now; `None` for a body that stays as it is.
    pub(crate) fn renewed(&self, body: &RawValue) -> Option<Box<RawValue>> {
        let renewed =
            self.keys.as_ref()?.renewed(body.get(), |digest| self.is_removed(digest), now_secs())?;
        RawValue::from_string(renewed).ok()
    }

    /// Gives a body that waits for a moderator addresses that are signed now.
    pub(crate) fn renew(&self, body: &mut Value) {
        let (Some(keys), Ok(media)) = (&self.keys, MediaView::deserialize(&body["media"])) else { return };
        body["media"] = match self.is_removed(media.digest) {
            true => Value::Null,
            false => json!(keys.with_addresses(&media, now_secs())),
        };
    }

    /// Returns the medium of a stored message for the gallery of its room; `None` for a message without one.
    pub(crate) fn of_room(&self, message: &HistoryMessage) -> Option<RoomMedium> {
        let Body { user, name, media } = serde_json::from_str(message.body.get()).ok()?;
        let (state, media) = match (self.is_removed(media.digest), &self.keys) {
            (false, Some(keys)) => (RoomMediumState::Shown, keys.with_addresses(&media, now_secs())),
            _ => (RoomMediumState::Removed, without_addresses(media)),
        };
        Some(RoomMedium { sequence: message.sequence, at_ms: message.at_ms, user, name, state, media })
    }

    fn is_removed(&self, digest: Digest) -> bool {
        self.bus.settings().borrow().removed_media.contains_key(&digest)
    }

    fn keys(&self) -> Result<&AddressKeys, Refusal> {
        let none = || Refusal::new(Code::Forbidden, "media: this server takes no pictures in messages");
        self.keys.as_deref().ok_or_else(none)
    }
}

/// What the gallery takes out of a body.
#[derive(Deserialize)]
struct Body {
    user: UserId,
    #[serde(default)]
    name: String,
    media: MediaView,
}

fn without_addresses(mut media: MediaView) -> MediaView {
    media.variants.iter_mut().for_each(|variant| variant.url.clear());
    media
}

/// Returns the medium of a message that a moderator removes everywhere.
///
/// # Errors
/// A refusal of a message without a medium, and of one with a public medium.
pub(crate) fn removable(body: &Value) -> Result<Digest, Refusal> {
    let media = MediaView::deserialize(&body["media"]);
    let media = media.map_err(|_| Refusal::new(Code::BadRequest, "sequence: the message has no picture"))?;
    if media.is_public {
        let message = "sequence: the picture is public, and other rooms use it; an admin can remove it";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(media.digest)
}

/// Removes a medium everywhere. Returns the time of the removal in Unix milliseconds, which is in force in this process.
///
/// # Errors
/// A refusal when the settings are full or cannot be changed now.
pub(crate) async fn remove(bus: &dyn Bus, digest: Digest) -> Result<u64, Refusal> {
    let at_ms = barrage_clock::unix_ms();
    bus.change(Change::RemoveMedium { digest, at_ms }).await?;
    Ok(bus.settings().borrow().removed_media.get(&digest).copied().unwrap_or(at_ms))
}

/// Lifts the removal of a medium: its file may be uploaded again.
///
/// # Errors
/// `not_found` for a medium that is not removed, or a refusal when the settings cannot be changed now.
pub(crate) async fn allow(bus: &dyn Bus, digest: Digest) -> Result<(), Refusal> {
    if !bus.settings().borrow().removed_media.contains_key(&digest) {
        return Err(Refusal::new(Code::NotFound, "digest: no medium of this digest was removed everywhere"));
    }
    bus.change(Change::AllowMedium { digest }).await?;
    Ok(())
}

fn now_secs() -> u64 {
    barrage_clock::unix_ms() / 1_000
}
