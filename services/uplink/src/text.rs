//! Cleaning of text that people wrote: what cannot be shown, or shows as something
//! else, does not get in. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// Marks stacked on one letter; more only serve to scribble over other lines.
const MARKS_MAX: usize = 4;
/// Bytes looked at per allowed character; longer input is refused unread.
const BYTES_PER_CHAR_MAX: usize = 64;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    /// Nothing is left that could be shown.
    #[error("there is nothing in it that could be shown")]
    Empty,
    /// Too long.
    #[error("it may have {0} characters")]
    TooLong(usize),
}

/// Normalises to NFC, strips controls, bidirectional overrides, invisible
/// characters and piled-up marks, folds white space, and checks the length.
pub(crate) fn clean(text: &str, chars_max: usize) -> Result<String, TextError> {
    if text.len() > chars_max * BYTES_PER_CHAR_MAX {
        return Err(TextError::TooLong(chars_max));
    }
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut previous = ' ';
    for c in text.nfc() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if is_stripped(c, previous) || (c == ' ' && (previous == ' ' || out.is_empty())) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS_MAX || (marks > 0 && out.is_empty()) {
            continue;
        }
        out.push(c);
        previous = c;
    }
    // A joiner at the end joins nothing.
    let kept = out.trim_end_matches([' ', '\u{200D}']).len();
    out.truncate(kept);
    if out.is_empty() {
        return Err(TextError::Empty);
    }
    if out.graphemes(true).count() > chars_max {
        return Err(TextError::TooLong(chars_max));
    }
    Ok(out)
}

fn is_stripped(c: char, previous: char) -> bool {
    match c {
        // Zero-width joiner: part of an emoji, or invisible.
        '\u{200D}' => !is_emoji(previous),
        '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{061C}'
        | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{3164}'
        | '\u{FFA0}'
        | '\u{034F}'
        | '\u{180E}'
        | '\u{E0000}'..='\u{E0FFF}' => true,
        _ => c.is_control(),
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F000}'..='\u{1FAFF}' | '\u{2190}'..='\u{2BFF}' | '\u{FE0F}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> String {
        clean(text, 200).unwrap()
    }

    #[test]
    fn what_cannot_be_shown_does_not_get_in() {
        assert_eq!(cleaned("  你好\u{202E}olleh\u{2066}\n\tworld\u{0}\u{7} "), "你好olleh world");
        assert_eq!(cleaned("a\u{200B}b\u{200D}c\u{FEFF}"), "abc");
        assert_eq!(cleaned("👩\u{200D}🚀 go 👍🏽"), "👩\u{200D}🚀 go 👍🏽");
        assert_eq!(cleaned("<b>x</b> & \"y\""), "<b>x</b> & \"y\"", "markup is text, and stays");
        assert_eq!(cleaned(&format!("e{}", "\u{0301}".repeat(50))).chars().count(), 5);
        assert_eq!(clean(" \u{202E}\u{200B}\n ", 200), Err(TextError::Empty));
        assert_eq!(clean(&"弹".repeat(201), 200), Err(TextError::TooLong(200)));
        assert_eq!(clean(&"x".repeat(1 << 20), 200), Err(TextError::TooLong(200)));
    }

    proptest! {
        /// Cleaning never fails strangely, and cleaning twice changes nothing.
        #[test]
        fn cleaning_is_idempotent(text in "\\PC{0,60}|.{0,60}") {
            if let Ok(once) = clean(&text, 100) {
                prop_assert_eq!(clean(&once, 100), Ok(once.clone()));
                prop_assert!(!once.chars().any(char::is_control));
            }
        }
    }
}
