//! Texts, gifts and likes that posts are made of.

use barrage_protocol::MessageId;
use barrage_protocol::post::{Gift, Post, Style};
use barrage_recording::{Item, ItemKind};
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::load::arrivals::Kind;
use crate::recording::dump::DumpedPost;
use crate::recording::tape::Tape;

/// Gifts without a recording, and their prices. None is free: a room may hold free gifts like chat,
/// while the load tester expects every gift to be shown.
const GIFTS: [(&str, u64); 4] = [("heart", 10), ("rose", 100), ("rocket", 5_000), ("castle", 100_000)];
/// Maximum number of likes in one post.
const LIKES_MAX: u32 = 10;

/// First and last character of generated texts: three bytes each.
const CHARS: std::ops::RangeInclusive<char> = '一'..='龥';

/// Longest generated text, in bytes: 200 characters.
const TEXT_BYTES_MAX: u32 = 600;
/// Longest name of a gift, in bytes; a recorded gift with a longer text was a super chat.
const GIFT_NAME_BYTES_MAX: u32 = 60;

/// Source of the texts of chat messages.
#[derive(Debug)]
pub(crate) enum Texts {
    /// Texts of a recording, one of which is drawn for each post.
    Written(Vec<String>),
    /// Generated texts of this many characters, three bytes each.
    Long(u32),
}

impl Texts {
    pub(crate) fn new(tape: &Tape, chars: Option<u32>) -> Self {
        if let Some(chars) = chars {
            return Texts::Long(chars);
        }
        let items = match tape {
            Tape::Danmaku(recording) => recording.items.as_slice(),
            Tape::Dump(_) => &[],
        };
        let texts = items.iter().filter_map(|item| match &item.kind {
            ItemKind::Chat { text, .. } => Some(text.clone()),
            ItemKind::Gift { .. } | ItemKind::SuperChat { .. } => None,
        });
        let mut texts: Vec<_> = texts.collect();
        if texts.is_empty() {
            texts.push("弹幕!".into());
        }
        Texts::Written(texts)
    }

    pub(crate) fn draw(&self, kind: Kind, id: MessageId, random: &mut SmallRng) -> Post {
        match kind {
            Kind::Chat => {
                let text = match self {
                    Texts::Written(texts) => texts[random.random_range(0..texts.len())].clone(),
                    Texts::Long(chars) => (0..*chars).map(|_| random.random_range(CHARS)).collect(),
                };
                Post::chat(id, text)
            }
            Kind::Gift => {
                let (name, price_minor) = GIFTS[random.random_range(0..GIFTS.len())];
                Post::Gift { id, gift: Gift { name: name.into(), count: 1, price_minor, combo: None } }
            }
            Kind::Like => Post::Like { id, count: random.random_range(1..=LIKES_MAX) },
        }
    }
}

/// Generates a text of exactly `bytes` bytes, at least one.
fn text(bytes: u32, random: &mut SmallRng) -> String {
    let bytes = bytes.clamp(1, TEXT_BYTES_MAX);
    let wide = (0..bytes / 3).map(|_| random.random_range(CHARS));
    wide.chain((0..bytes % 3).map(|_| 'a')).collect()
}

/// Returns a post of the recorded kind and size.
pub(crate) fn dumped(post: &DumpedPost, id: MessageId, random: &mut SmallRng) -> Post {
    let text = text(post.bytes, random);
    match post.kind {
        Kind::Chat => Post::chat(id, text),
        Kind::Gift if post.bytes <= GIFT_NAME_BYTES_MAX => {
            Post::Gift { id, gift: Gift { name: text, count: 1, price_minor: 100, combo: None } }
        }
        Kind::Gift => Post::SuperChat { id, text, amount_minor: 100, currency: "CNY".into() },
        Kind::Like => Post::Like { id, count: 1 },
    }
}

/// Returns a recorded item as a post.
pub(crate) fn recorded(item: &Item, id: MessageId) -> (Kind, Post) {
    match &item.kind {
        ItemKind::Chat { text, color, .. } => {
            let style = Style { color: *color & 0xff_ffff, ..Style::default() };
            (Kind::Chat, Post::styled_chat(id, text.clone(), style))
        }
        ItemKind::Gift { name, count, price_minor } => {
            let gift = Gift { name: name.clone(), count: *count, price_minor: *price_minor, combo: None };
            (Kind::Gift, Post::Gift { id, gift })
        }
        ItemKind::SuperChat { text, amount_minor, currency } => {
            let (text, currency) = (text.clone(), currency.clone());
            (Kind::Gift, Post::SuperChat { id, text, amount_minor: *amount_minor, currency })
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn generated_text_has_the_recorded_length() {
        let mut random = SmallRng::seed_from_u64(1);
        for bytes in 1..=TEXT_BYTES_MAX {
            let text = text(bytes, &mut random);
            assert_eq!(text.len(), bytes as usize);
            assert!(text.chars().count() <= 202, "{text}");
        }
        assert_eq!((text(0, &mut random).len(), text(9_999, &mut random).len()), (1, 600));
    }

    #[test]
    fn gift_with_a_long_text_becomes_a_super_chat() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut made = |kind, bytes| {
            let post = DumpedPost { offset_ms: 0, kind, bytes, user: 0 };
            dumped(&post, "x".parse().unwrap(), &mut random)
        };
        assert!(matches!(made(Kind::Gift, 4), Post::Gift { gift, .. } if gift.name.len() == 4));
        assert!(matches!(made(Kind::Gift, 90), Post::SuperChat { text, .. } if text.len() == 90));
        assert!(matches!(made(Kind::Like, 0), Post::Like { .. }));
    }
}
