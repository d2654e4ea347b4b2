//! Texts of others on their way to an operator's terminal: no character of them moves the
//! cursor, begins a line or turns the direction of writing.

use std::borrow::Cow;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes control characters, line separators and bidirectional controls as `\u{...}`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !any_moves(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if moves(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The same of a text that is kept.
pub(crate) fn printable_owned(text: String) -> String {
    if any_moves(&text) { printable(&text).into_owned() } else { text }
}

/// Most texts here are our own, and ASCII: one pass over their bytes decides.
fn any_moves(text: &str) -> bool {
    !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.chars().any(moves)
}

fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A time of Unix milliseconds as RFC 3339, in UTC; what is beyond a calendar is 1970.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_moves_the_cursor() {
        assert_eq!(printable("plain 弹幕 👍"), "plain 弹幕 👍");
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_795_972_910_952), "2026-11-29T17:21:50.952Z");
        assert_eq!(rfc3339(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
