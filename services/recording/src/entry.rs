//! One entry: the attributes of its tag, then its text.
//!
//! Files of three writers are supported. The site writes `<d p="...">`. BililiveRecorder
//! (录播姬) adds `user` to it and writes `<sc ts user price time>text</sc>` with
//! the price in yuan, `<gift ts user giftname giftcount>` and `<guard ts user
//! level count>`. blrec writes the same names with `uid`, and prices in
//! thousandths of a yuan; its `<toast>` repeats a `<guard>` and is ignored.

use quick_xml::escape::unescape;
use quick_xml::events::BytesStart;

use barrage_protocol::placement::Placement;

use crate::item::{Item, ItemKind, Mode};
use crate::limits::Limits;
use crate::number::{scaled, whole};
use crate::placed;
use crate::skipped::Skip;

/// Mark in place of bytes that are not UTF-8; no XML file may contain the mark itself.
pub(crate) const NOT_UTF8: char = '\u{ffff}';

/// Largest count of a gift and largest price of one piece, as for a post.
const COUNT_MAX: u32 = 1_000_000;
const PRICE_MINOR_MAX: u64 = 1_000_000_000_000;
const SIZE_PX_MAX: u32 = 1_000;

/// Prices of the three memberships in fen, and their names, by `level`.
const GUARDS: [(&str, u64); 3] = [("总督", 1_999_800), ("提督", 199_800), ("舰长", 19_800)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Danmaku,
    Gift,
    SuperChat,
    Guard,
}

impl Tag {
    pub(crate) fn of(name: &str) -> Option<Tag> {
        match name {
            "d" => Some(Tag::Danmaku),
            "gift" => Some(Tag::Gift),
            "sc" => Some(Tag::SuperChat),
            "guard" => Some(Tag::Guard),
            _ => None,
        }
    }

    /// Returns whether the text inside the element belongs to the entry.
    fn has_text(self) -> bool {
        matches!(self, Tag::Danmaku | Tag::SuperChat)
    }
}

/// Unit of the prices of a file's super chats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PriceUnit {
    /// Thousandths of a yuan, as the site counts; the default.
    #[default]
    Thousandth,
    /// Yuan, in which BililiveRecorder writes the prices of super chats.
    Yuan,
}

impl PriceUnit {
    fn fen(self) -> f64 {
        match self {
            PriceUnit::Thousandth => 0.1,
            PriceUnit::Yuan => 100.0,
        }
    }
}

/// Attributes that are used, as written in the file.
#[derive(Default)]
struct Fields {
    p: Option<String>,
    ts: Option<String>,
    user: Option<String>,
    uid: Option<String>,
    giftname: Option<String>,
    count: Option<String>,
    price: Option<String>,
    cointype: Option<String>,
    currency: Option<String>,
    level: Option<String>,
}

impl Fields {
    fn read(start: &BytesStart<'_>, limits: &Limits) -> Result<Fields, Skip> {
        let mut fields = Fields::default();
        // A check for duplicates would compare each attribute with each; the first one counts.
        for (n, attribute) in start.attributes().with_checks(false).enumerate() {
            if n >= limits.attributes_max {
                return Err(Skip::Attributes);
            }
            let attribute = attribute.map_err(|_| Skip::Malformed)?;
            let Some(field) = fields.named(attribute.key.as_ref()) else { continue };
            if attribute.value.contains(NOT_UTF8) {
                return Err(Skip::InvalidUtf8);
            }
            let value = unescape(&attribute.value).map_err(|_| Skip::Entity)?;
            field.get_or_insert(value.into_owned());
        }
        Ok(fields)
    }

    fn named(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "p" => &mut self.p,
            "ts" => &mut self.ts,
            "user" => &mut self.user,
            "uid" => &mut self.uid,
            "giftname" => &mut self.giftname,
            "giftcount" | "num" | "count" => &mut self.count,
            "price" => &mut self.price,
            "cointype" => &mut self.cointype,
            "currency" => &mut self.currency,
            "level" => &mut self.level,
            _ => return None,
        })
    }
}

/// An entry whose tag was read; its text follows.
#[derive(Debug)]
pub(crate) struct Draft {
    item: Item,
    tag: Tag,
    /// The sender is a user name, not a hash or a number.
    is_named: bool,
}

impl Draft {
    /// Returns whether the sender is a user name, not a hash or a number.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    pub(crate) fn read(
        tag: Tag,
        start: &BytesStart<'_>,
        unit: PriceUnit,
        limits: &Limits,
    ) -> Result<Draft, Skip> {
        let fields = Fields::read(start, limits)?;
        let is_named = fields.user.as_deref().is_some_and(|user| !user.trim().is_empty());
        let item = match tag {
            Tag::Danmaku => danmaku(&fields, limits),
            Tag::Gift => gift(&fields, limits),
            Tag::SuperChat => super_chat(&fields, unit, limits),
            Tag::Guard => guard(&fields, limits),
        }?;
        Ok(Draft { item, tag, is_named })
    }

    /// Returns the longest text between the tags, in characters.
    pub(crate) fn text_chars_max(&self, limits: &Limits) -> usize {
        match self.item.kind {
            ItemKind::Chat { mode: Mode::Placed(_), .. } => placed::chars_max(limits.text_chars_max),
            ItemKind::Chat { .. } | ItemKind::Gift { .. } | ItemKind::SuperChat { .. } => {
                limits.text_chars_max
            }
        }
    }

    pub(crate) fn finish(self, text: &str, limits: &Limits) -> Result<Item, Skip> {
        let Draft { mut item, tag, is_named: _ } = self;
        if !tag.has_text() {
            return Ok(item);
        }
        if let ItemKind::Chat { text: kept, mode: mode @ Mode::Placed(_), .. } = &mut item.kind {
            let (place, said) = placed::read(text)?;
            (*kept, *mode) = (shown(&said, limits.text_chars_max)?, Mode::Placed(place));
            return Ok(item);
        }
        let clean = shown(text, limits.text_chars_max)?;
        if let ItemKind::Chat { text, .. } | ItemKind::SuperChat { text, .. } = &mut item.kind {
            *text = clean;
        }
        Ok(item)
    }
}

fn danmaku(fields: &Fields, limits: &Limits) -> Result<Item, Skip> {
    let p = fields.p.as_deref().ok_or(Skip::MissingField)?;
    let mut parts = p.split(',');
    let mut next = || parts.next().ok_or(Skip::MissingField);
    let (time, mode, size, color) = (next()?, next()?, next()?, next()?);
    let (_posted_at, _pool, hash) = (next()?, next()?, next()?);
    let mode = match whole(mode, 0, 255).ok_or(Skip::BadField)? {
        1..=3 => Mode::Scroll,
        6 => Mode::Reverse,
        4 => Mode::Bottom,
        5 => Mode::Top,
        // The text has the place.
        7 => Mode::Placed(Placement::at(0, 0, *Placement::DURATION_MS.start())),
        8 => return Err(Skip::Scripted),
        _ => return Err(Skip::UnknownMode),
    };
    Ok(Item {
        offset_ms: offset_ms(time, limits)?,
        sender: sender(fields.user.as_deref().unwrap_or(hash), limits)?,
        kind: ItemKind::Chat {
            text: String::new(),
            mode,
            // Some writers put the opacity above the colour: 4294967295 is white.
            color: whole(color, 0, u32::MAX).ok_or(Skip::BadField)? & 0xff_ffff,
            size_px: whole(size, 1, SIZE_PX_MAX).ok_or(Skip::BadField)?,
        },
    })
}

fn gift(fields: &Fields, limits: &Limits) -> Result<Item, Skip> {
    let name = fields.giftname.as_deref().ok_or(Skip::MissingField)?;
    let name = shown(name, limits.name_chars_max)?;
    let count = count(fields.count.as_deref().ok_or(Skip::MissingField)?)?;
    let free = fields.cointype.as_deref().is_some_and(|coin| ["银瓜子", "silver", "sliver"].contains(&coin));
    let price_minor = match &fields.price {
        Some(price) if !free => price_minor(price, PriceUnit::Thousandth)?,
        _ => 0,
    };
    timed(fields, limits, ItemKind::Gift { name, count, price_minor })
}

fn super_chat(fields: &Fields, unit: PriceUnit, limits: &Limits) -> Result<Item, Skip> {
    let price = fields.price.as_deref().ok_or(Skip::MissingField)?;
    let amount_minor = price_minor(price, unit)?;
    let currency = fields.currency.clone().unwrap_or_else(|| "CNY".to_owned());
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Skip::BadField);
    }
    let kind = ItemKind::SuperChat { text: String::new(), amount_minor, currency };
    timed(fields, limits, kind)
}

fn guard(fields: &Fields, limits: &Limits) -> Result<Item, Skip> {
    let level = whole(fields.level.as_deref().ok_or(Skip::MissingField)?, 1, 3).ok_or(Skip::BadField)?;
    let (name, listed) = GUARDS[level as usize - 1];
    let count = fields.count.as_deref().map_or(Ok(1), count)?;
    let price_minor =
        fields.price.as_deref().map_or(Ok(listed), |price| price_minor(price, PriceUnit::Thousandth))?;
    timed(fields, limits, ItemKind::Gift { name: name.to_owned(), count, price_minor })
}

fn timed(fields: &Fields, limits: &Limits, kind: ItemKind) -> Result<Item, Skip> {
    let offset_ms = offset_ms(fields.ts.as_deref().ok_or(Skip::MissingField)?, limits)?;
    let who = fields.user.as_deref().or(fields.uid.as_deref()).ok_or(Skip::MissingField)?;
    Ok(Item { offset_ms, sender: sender(who, limits)?, kind })
}

fn offset_ms(text: &str, limits: &Limits) -> Result<u64, Skip> {
    scaled(text, 1000.0, limits.offset_secs_max * 1000).ok_or(Skip::BadField)
}

fn count(text: &str) -> Result<u32, Skip> {
    whole(text, 1, COUNT_MAX).ok_or(Skip::BadField)
}

fn price_minor(text: &str, unit: PriceUnit) -> Result<u64, Skip> {
    scaled(text, unit.fen(), PRICE_MINOR_MAX).ok_or(Skip::BadField)
}

fn sender(text: &str, limits: &Limits) -> Result<String, Skip> {
    match shown(text, limits.name_chars_max) {
        Err(Skip::Empty) => Ok(String::new()),
        other => other,
    }
}

/// Returns the text as it may be shown, with all white space as one kind of space. A text with
/// characters that cannot be shown is skipped, not repaired.
fn shown(text: &str, chars_max: usize) -> Result<String, Skip> {
    if text.contains(NOT_UTF8) {
        return Err(Skip::InvalidUtf8);
    }
    let text: String = text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c }).collect();
    if text.chars().any(|c| c.is_control() || turns_direction(c)) {
        return Err(Skip::ControlCharacters);
    }
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Skip::Empty),
        n if n > chars_max => Err(Skip::TooLong),
        _ => Ok(text.to_owned()),
    }
}

/// Returns whether a character is a bidirectional embedding, override or isolate, which affects text
/// around the message.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
