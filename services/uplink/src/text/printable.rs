//! Escaping of user texts for an operator's terminal: no character of an escaped text moves the
//! cursor, starts a line or changes the writing direction.

use std::borrow::Cow;

/// Escapes control characters, line separators and bidirectional controls as `\u{...}`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !needs_escape(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if moves_cursor(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Escapes an owned text like [`printable`]; a text that needs no escape is not copied.
pub(crate) fn printable_owned(text: String) -> String {
    if needs_escape(&text) { printable(&text).into_owned() } else { text }
}

/// Most texts here are the server's own and ASCII, so one pass over the bytes decides.
fn needs_escape(text: &str) -> bool {
    !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.chars().any(moves_cursor)
}

fn moves_cursor(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_move_the_cursor_are_escaped() {
        assert_eq!(printable("plain 弹幕 👍"), "plain 弹幕 👍");
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }
}
