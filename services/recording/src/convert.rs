//! Between items of recordings and the protocol: posts for a replay, and items out of stored bodies.

use barrage_protocol::MessageId;
use barrage_protocol::placement::{Placement, PlacementEnd};
use barrage_protocol::post::{Gift, Mode as PostMode, Post, Size, Style};
use serde::Deserialize;

use crate::item::{Item, ItemKind, Mode};
use crate::placed;

/// Size in the site's pixels of a small, a normal and a large danmaku.
const SMALL_PX: u32 = 18;
const NORMAL_PX: u32 = 25;
const LARGE_PX: u32 = 36;

/// Makes the post of an item.
#[must_use]
pub fn post(kind: &ItemKind, id: MessageId) -> Post {
    match kind {
        ItemKind::Chat { text, mode, color, size_px } => {
            let (mode, place) = match mode {
                Mode::Scroll => (PostMode::Scroll, None),
                Mode::Reverse => (PostMode::Reverse, None),
                Mode::Top => (PostMode::Top, None),
                Mode::Bottom => (PostMode::Bottom, None),
                Mode::Placed(place) => (
                    PostMode::Placed,
                    Some(Placement { height: Some(placed::height_of(*size_px)), ..*place }),
                ),
            };
            let size = match *size_px {
                0..NORMAL_PX => Size::Small,
                NORMAL_PX..=30 => Size::Normal,
                _ => Size::Large,
            };
            Post::styled_chat(id, text.clone(), Style { mode, color: color & 0xff_ffff, size, place })
        }
        ItemKind::Gift { name, count, price_minor } => Post::Gift {
            id,
            gift: Gift { name: name.clone(), count: *count, price_minor: *price_minor, combo: None },
        },
        ItemKind::SuperChat { text, amount_minor, currency } => Post::SuperChat {
            id,
            text: text.clone(),
            amount_minor: *amount_minor,
            currency: currency.clone(),
        },
    }
}

/// Fields of a stored body that a recording has; others are ignored.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content {
    Chat {
        text: String,
        #[serde(default)]
        style: Style,
    },
    Gift {
        gift: Gift,
    },
    SuperChat {
        text: String,
        amount_minor: u64,
        currency: String,
    },
    #[serde(other)]
    Other,
}

/// Sender of a stored body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct By {
    user: String,
    name: String,
}

/// Reads a stored body: the item, and the id of its sender. `None` for what a recording has no entry
/// for, such as signals and custom events.
#[must_use]
pub fn item(body: &str, offset_ms: u64) -> Option<(Item, String)> {
    let kind = match serde_json::from_str(body).ok()? {
        Content::Chat { text, style } => {
            let normal = match style.size {
                Size::Small => SMALL_PX,
                Size::Normal => NORMAL_PX,
                Size::Large => LARGE_PX,
            };
            let height = style.place.and_then(|place| place.height);
            let size_px = height.map_or(normal, placed::size_px_of);
            ItemKind::Chat { text, mode: mode(&style), color: style.color & 0xff_ffff, size_px }
        }
        Content::Gift { gift: Gift { name, count, price_minor, combo: _ } } => {
            ItemKind::Gift { name, count, price_minor }
        }
        Content::SuperChat { text, amount_minor, currency } => {
            ItemKind::SuperChat { text, amount_minor, currency }
        }
        Content::Other => return None,
    };
    let By { user, name } = serde_json::from_str(body).ok()?;
    let sender = if name.is_empty() { user.clone() } else { name };
    Some((Item { offset_ms, sender, kind }, user))
}

fn mode(style: &Style) -> Mode {
    match (style.mode, style.place) {
        (PostMode::Reverse, _) => Mode::Reverse,
        (PostMode::Top, _) => Mode::Top,
        (PostMode::Bottom, _) => Mode::Bottom,
        (PostMode::Placed, Some(place)) => {
            let rest_ms = |end: &PlacementEnd| place.duration_ms.saturating_sub(end.delay_ms);
            let end =
                place.end.map(|end| PlacementEnd { move_ms: end.move_ms.or(Some(rest_ms(&end))), ..end });
            Mode::Placed(Placement { end, height: None, ..place })
        }
        (PostMode::Scroll | PostMode::Placed, _) => Mode::Scroll,
    }
}
