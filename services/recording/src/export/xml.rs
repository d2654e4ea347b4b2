//! Bilibili XML with the elements of live recorders, as [`parse`](crate::parse) reads it.

use std::borrow::Cow;
use std::fmt::Write;

use quick_xml::escape::escape;

use super::Entry;
use crate::item::{ItemKind, Mode};
use crate::placed;

/// Text before the first entry. Some readers know the format by these very bytes: no line break may be
/// before `<i>`.
pub const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><i>\n";
/// Text behind the last entry; a file without it is cut off.
pub const FOOTER: &str = "</i>\n";
/// Seconds for which a super chat is on top, in files: this archive does not have them.
const SUPER_CHAT_SECS: u32 = 60;
/// Currency of prices without an attribute: that of the site.
const SITE_CURRENCY: &str = "CNY";

/// Appends one entry, a line.
pub fn write(entry: &Entry, out: &mut String) {
    element(entry, out).expect("writing to memory cannot fail");
}

fn element(entry: &Entry, out: &mut String) -> std::fmt::Result {
    let secs = Secs(entry.item.offset_ms);
    let (user, id) = (shown(&entry.item.sender), shown(&entry.user));
    let id = if id.is_empty() { String::new() } else { format!(r#" uid="{id}""#) };
    match &entry.item.kind {
        ItemKind::Chat { text, mode, color, size_px } => {
            let text = match mode {
                Mode::Placed(place) => Cow::Owned(placed::write(place, text)),
                Mode::Scroll | Mode::Reverse | Mode::Top | Mode::Bottom => Cow::Borrowed(text.as_str()),
            };
            let (mode, text, unix) = (number(mode), shown(&text), entry.at_ms / 1_000);
            let (hash, row) = (entry.user_hash(), entry.sequence);
            writeln!(
                out,
                r#"<d p="{secs},{mode},{size_px},{color},{unix},0,{hash:08x},{row}" user="{user}"{id}>{text}</d>"#
            )
        }
        ItemKind::Gift { name, count, price_minor } => {
            let name = shown(name);
            write!(out, r#"<gift ts="{secs}" user="{user}"{id} giftname="{name}" giftcount="{count}""#)?;
            if *price_minor > 0 {
                write!(out, r#" price="{price_minor}0""#)?;
            }
            out.write_str("/>\n")
        }
        ItemKind::SuperChat { text, amount_minor, currency } => {
            let text = shown(text);
            let time = SUPER_CHAT_SECS;
            write!(out, r#"<sc ts="{secs}" user="{user}"{id} price="{amount_minor}0" time="{time}""#)?;
            if currency != SITE_CURRENCY {
                write!(out, r#" currency="{}""#, shown(currency))?;
            }
            writeln!(out, ">{text}</sc>")
        }
    }
}

/// The site's number of a mode.
fn number(mode: &Mode) -> u8 {
    match mode {
        Mode::Scroll => 1,
        Mode::Reverse => 6,
        Mode::Bottom => 4,
        Mode::Top => 5,
        Mode::Placed(_) => 7,
    }
}

/// Milliseconds, written as seconds with three decimals.
struct Secs(u64);

impl std::fmt::Display for Secs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Escapes markup, and leaves out the characters that XML 1.0 does not have.
fn shown(text: &str) -> Cow<'_, str> {
    let is_foreign = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_foreign) {
        return Cow::Owned(escape(text.replace(is_foreign, "")).into_owned());
    }
    escape(text)
}
