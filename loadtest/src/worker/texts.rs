//! What is written: texts and gifts of a recording.

use barrage_protocol::MessageId;
use barrage_protocol::post::{Gift, Post, Style};
use barrage_recording::{Item, ItemKind, Recording};
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::arrivals::Kind;

/// Gifts when no recording is played: mostly cheap ones.
const GIFTS: [(&str, u64); 4] = [("heart", 0), ("rose", 100), ("rocket", 5_000), ("castle", 100_000)];
/// Likes of one tap-happy viewer.
const LIKES_MAX: u32 = 10;

/// Draws posts at random.
#[derive(Debug)]
pub(crate) struct Texts(Vec<String>);

impl Texts {
    pub(crate) fn new(recording: &Recording) -> Self {
        let texts = recording.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Chat { text, .. } => Some(text.clone()),
            ItemKind::Gift { .. } | ItemKind::SuperChat { .. } => None,
        });
        let mut texts: Vec<_> = texts.collect();
        if texts.is_empty() {
            texts.push("弹幕!".into());
        }
        Texts(texts)
    }

    pub(crate) fn draw(&self, kind: Kind, id: MessageId, random: &mut SmallRng) -> Post {
        match kind {
            Kind::Chat => {
                let text = self.0[random.random_range(0..self.0.len())].clone();
                Post::Chat { id, text, style: Style::default() }
            }
            Kind::Gift => {
                let (name, price_minor) = GIFTS[random.random_range(0..GIFTS.len())];
                Post::Gift { id, gift: Gift { name: name.into(), count: 1, price_minor, combo: None } }
            }
            Kind::Like => Post::Like { id, count: random.random_range(1..=LIKES_MAX) },
        }
    }
}

/// A recorded item as a post.
pub(crate) fn recorded(item: &Item, id: MessageId) -> (Kind, Post) {
    match &item.kind {
        ItemKind::Chat { text, color, .. } => {
            let style = Style { color: *color & 0xff_ffff, ..Style::default() };
            (Kind::Chat, Post::Chat { id, text: text.clone(), style })
        }
        ItemKind::Gift { name, count, price_minor } => {
            let gift = Gift { name: name.clone(), count: *count, price_minor: *price_minor, combo: None };
            (Kind::Gift, Post::Gift { id, gift })
        }
        ItemKind::SuperChat { text, amount_minor, currency } => {
            let (text, currency) = (text.clone(), (*currency).to_owned());
            (Kind::Gift, Post::SuperChat { id, text, amount_minor: *amount_minor, currency })
        }
    }
}
