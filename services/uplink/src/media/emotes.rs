//! Pictures of the media hosts in sets of emotes: emotes, stickers and badges.

use std::collections::HashMap;

use barrage_bus::EmoteWords;
use barrage_protocol::code::Refusal;
use barrage_protocol::emote::{Emote, EmoteKind, EmoteSet};
use barrage_protocol::{Code, MediaKind, MediaReference, MediaVariant, MediaView, UserId};

use super::{MediaLinks, now_secs, without_addresses};

/// Longest moving form that an emote names, in bytes; a longer one stands still.
const MOVING_BYTES_MAX: u64 = 256 * 1_024;
/// Longest side of the smallest form of a picture, in pixels.
const SMALLEST_SIDE: u32 = 96;
/// Maximum height of an emote in CSS pixels.
const PX_MAX: u32 = 512;

/// Who puts pictures into a set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PutBy<'a> {
    /// A user, who refers to own uploads and public media.
    User(&'a UserId),
    /// An operator, who refers to the uploads of anybody.
    Operator,
}

impl MediaLinks {
    /// Replaces the references of a set by the pictures that they name. A picture without a reference must be in the
    /// `stored` set, from which it is taken. Returns whether the new set has such a picture, so that it may replace the
    /// stored one alone.
    ///
    /// # Errors
    /// A refusal of the first picture that is not in the stored set, is no picture, or whose reference does not count.
    pub(crate) fn put_pictures(
        &self,
        set: &mut EmoteSet,
        stored: &EmoteWords,
        by: PutBy<'_>,
    ) -> Result<bool, Refusal> {
        let mut known = HashMap::new();
        if set.emotes.iter().any(|emote| emote.media.is_some()) {
            known.extend(
                stored.set().emotes.iter().filter_map(|emote| Some((emote.media.as_ref()?.digest, emote))),
            );
        }
        let mut has_kept = false;
        for (at, emote) in set.emotes.iter_mut().enumerate() {
            let named = |refusal: Refusal| Refusal {
                message: format!("emotes[{at}].{}", refusal.message),
                ..refusal
            };
            match (emote.reference.take(), &emote.media) {
                (Some(reference), _) => {
                    let media = self.put_by(&reference, by).map_err(named)?;
                    self.show(emote, media).map_err(named)?;
                }
                (None, Some(media)) => {
                    let Some(kept) = known.get(&media.digest) else {
                        let message = "media: the set has no such picture; name a `reference` to add it";
                        return Err(named(Refusal::new(Code::BadRequest, message)));
                    };
                    let Emote { url, px, animated, media, .. } = (*kept).clone();
                    *emote = Emote { url, px, animated, media, ..std::mem::take(emote) };
                    has_kept = true;
                }
                (None, None) => {}
            }
        }
        Ok(has_kept)
    }

    fn put_by(&self, reference: &MediaReference, by: PutBy<'_>) -> Result<MediaView, Refusal> {
        match by {
            PutBy::User(user) => self.resolve(reference, user),
            PutBy::Operator => self.allowed(self.keys()?.read_reference(reference, now_secs())?.media),
        }
    }

    /// Makes an emote show a picture, by an address that never ends: a set is read for as long as it lasts.
    fn show(&self, emote: &mut Emote, media: MediaView) -> Result<(), Refusal> {
        if media.kind != MediaKind::Image {
            return Err(Refusal::new(Code::BadRequest, "reference: the medium is no picture"));
        }
        let media = self.keys()?.with_addresses(&MediaView { is_public: true, ..media }, now_secs());
        let moving = media.variants.iter().find(|form| form.media_type == "image/gif");
        let moving = moving.filter(|form| form.length <= MOVING_BYTES_MAX);
        let form = moving.or_else(|| media.variants.first());
        let MediaVariant { url, .. } =
            form.ok_or_else(|| Refusal::new(Code::BadRequest, "reference: the picture has no form"))?;
        let side = if moving.is_some() { u32::MAX } else { SMALLEST_SIDE };
        emote.url.clone_from(url);
        emote.px = vec![height(&media, side)];
        emote.animated = moving.is_some();
        emote.media = Some(Box::new(without_addresses(media)));
        Ok(())
    }

    /// Returns a set without the pictures that were removed everywhere.
    pub(crate) fn shown_emotes(&self, stored: &EmoteWords) -> EmoteWords {
        let settings = self.bus.settings().borrow().clone();
        let is_removed = |emote: &Emote| {
            emote.media.as_ref().is_some_and(|media| settings.removed_media.contains_key(&media.digest))
        };
        if !stored.media().iter().any(|digest| settings.removed_media.contains_key(digest)) {
            return stored.clone();
        }
        let shown = stored.set().emotes.iter().filter(|emote| !is_removed(emote)).cloned();
        EmoteWords::new(EmoteSet { emotes: shown.collect() })
    }

    /// Returns the picture of a sticker with addresses; `None` when the set has no such sticker that is shown.
    pub(crate) fn sticker(&self, stored: Option<&EmoteWords>, id: &str) -> Option<MediaView> {
        let of_id = |emote: &&Emote| emote.kind == EmoteKind::Sticker && emote.id == id;
        let media = stored?.set().emotes.iter().find(of_id)?.media.as_deref()?;
        let media = self.allowed(media.clone()).ok()?;
        Some(self.keys().ok()?.with_addresses(&media, now_secs()))
    }
}

/// Returns the height of a picture's form whose longest side is at most `side`.
fn height(media: &MediaView, side: u32) -> u16 {
    let (width, height) = (media.width.unwrap_or(side).max(1), media.height.unwrap_or(side).max(1));
    let longest = width.max(height);
    let height = if longest > side {
        u32::try_from(u64::from(height) * u64::from(side) / u64::from(longest)).unwrap_or(side)
    } else {
        height
    };
    u16::try_from(height.clamp(1, PX_MAX)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> MediaView {
        serde_json::from_value(serde_json::json!({
            "digest": "0f".repeat(32), "kind": "image", "width": width, "height": height, "variants": []
        }))
        .unwrap()
    }

    #[test]
    fn height_of_the_smallest_form_keeps_the_proportions() {
        let of = |width, height_px| height(&picture(width, height_px), SMALLEST_SIDE);
        assert_eq!((of(96, 96), of(192, 96), of(96, 960), of(28, 20), of(9_600, 1)), (96, 48, 96, 20, 1));
        assert_eq!(height(&picture(2_000, 2_000), u32::MAX), 512);
    }
}
