//! Cleaning of text that people wrote. A character that shows nothing, or that draws over its
//! neighbours, is removed. Pure.

use barrage_moderation::glyph::{is_blank, is_invisible, is_needed, is_plain, tag_flag};
use barrage_protocol::UserId;
use barrage_protocol::code::LimitHit;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Maximum combining marks on one letter. More marks only draw over other lines.
const MARKS_MAX: usize = 4;
/// Bytes of input for each allowed character. A longer input is refused unread.
const BYTES_PER_CHAR_MAX: usize = 64;
/// Code points of one character (grapheme cluster). The longest emoji have ten.
const CODE_POINTS_PER_CHAR_MAX: usize = 16;
/// Code points of a text for each allowed character: enough for a text of emoji with skin tones.
const CODE_POINTS_PER_CHAR: usize = 4;
/// Terminal cells of a text for each allowed character: a Chinese character takes two.
const CELLS_PER_CHAR: usize = 2;
/// Maximum cleaning passes. A pass that removes a character may join two others that compose, and
/// the next pass composes them. Ordinary texts need two passes. After the last pass the text is
/// used as it is.
const PASSES_MAX: usize = 8;

/// Why a text is refused; the message goes into the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("the text is empty after removal of invisible characters")]
    Empty,
    /// More characters (grapheme clusters) than this maximum.
    #[error("the text has more than {0} characters")]
    TooLong(usize),
    /// One grapheme cluster has too many code points.
    #[error("a character of the text is composed of more than {0} code points")]
    Overloaded(usize),
    /// Too many code points, though not too many characters.
    #[error("the text has more than {0} code points")]
    TooManyCodePoints(usize),
    /// Wider than a text of the same number of wide characters.
    #[error("the text is wider than {0} columns; a Chinese character takes two")]
    TooWide(usize),
}

impl TextError {
    /// Returns the limit that the text exceeds, named after `field`, as a refusal reports it.
    pub(crate) fn limit(self, field: &str) -> Option<LimitHit> {
        let (unit, max) = match self {
            TextError::TooLong(max) => ("chars", max),
            TextError::TooManyCodePoints(max) => ("code_points", max),
            TextError::TooWide(max) => ("columns", max),
            TextError::Empty | TextError::Overloaded(_) => return None,
        };
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        Some(LimitHit { limit, ..LimitHit::rule(format!("{field}_{unit}_max"), "message") })
    }
}

/// A text that is ready to be shown: normalised, without invisible characters, of bounded length.
///
/// A post's text is cleaned once. The checks and the message body then share this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct CleanText(String);

impl CleanText {
    /// Cleans `text`: normalises to NFC, removes invisible characters and piled-up marks, folds
    /// white space, and checks the length in characters, code points and columns.
    pub(crate) fn new(text: &str, chars_max: usize) -> Result<Self, TextError> {
        clean(text, chars_max).map(CleanText)
    }

    /// Returns no text, which only a message with a medium may have.
    pub(crate) const fn none() -> Self {
        CleanText(String::new())
    }

    /// Uses the id of a user as a text. Ids are printable ASCII.
    pub(crate) fn from_user_id(user: &UserId) -> Self {
        CleanText(user.to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Cleans a text for the fuzz targets; `None` for a text that is refused.
#[doc(hidden)]
#[must_use]
pub fn clean_text(text: &str, chars_max: usize) -> Option<String> {
    CleanText::new(text, chars_max).ok().map(CleanText::into_string)
}

fn clean(text: &str, chars_max: usize) -> Result<String, TextError> {
    if text.len() > chars_max * BYTES_PER_CHAR_MAX {
        return Err(TextError::TooLong(chars_max));
    }
    if text.chars().all(is_plain) {
        return clean_plain(text, chars_max);
    }
    let mut cleaned = clean_pass(text);
    let mut is_final = cleaned == text;
    for _ in 1..PASSES_MAX {
        if is_final {
            break;
        }
        let again = clean_pass(&cleaned);
        is_final = again == cleaned;
        cleaned = again;
    }
    check_size(&cleaned, chars_max)?;
    Ok(cleaned)
}

/// Fast path for a text of plain characters: folds spaces and checks the length.
fn clean_plain(text: &str, chars_max: usize) -> Result<String, TextError> {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    match out.chars().count() {
        0 => Err(TextError::Empty),
        count if count > chars_max => Err(TextError::TooLong(chars_max)),
        _ => Ok(out),
    }
}

fn clean_pass(text: &str) -> String {
    let chars: Vec<char> = text.nfc().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let mut out = String::with_capacity(text.len());
    let (mut marks, mut at) = (0, 0);
    while let Some(&c) = chars.get(at) {
        let flag = tag_flag(&chars[at..]);
        if flag > 0 {
            out.extend(&chars[at..at + flag]);
            at += flag;
            marks = 0;
            continue;
        }
        at += 1;
        if is_invisible(c) && !is_needed(c, &out, chars.get(at).copied()) {
            continue;
        }
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS_MAX || (marks > 0 && out.is_empty()) {
            continue;
        }
        out.push(c);
    }
    out.trim_matches(is_blank).nfc().collect()
}

fn check_size(text: &str, chars_max: usize) -> Result<(), TextError> {
    if !text.chars().any(|c| !is_blank(c) && !is_invisible(c) && !is_combining_mark(c)) {
        return Err(TextError::Empty);
    }
    let (mut chars, mut code_points, mut cells) = (0, 0, 0);
    for character in text.graphemes(true) {
        let count = character.chars().count();
        if count > CODE_POINTS_PER_CHAR_MAX {
            return Err(TextError::Overloaded(CODE_POINTS_PER_CHAR_MAX));
        }
        chars += 1;
        code_points += count;
        cells += cells_of(character);
    }
    if chars > chars_max {
        return Err(TextError::TooLong(chars_max));
    }
    if code_points > chars_max * CODE_POINTS_PER_CHAR {
        return Err(TextError::TooManyCodePoints(chars_max * CODE_POINTS_PER_CHAR));
    }
    if cells > chars_max * CELLS_PER_CHAR {
        return Err(TextError::TooWide(chars_max * CELLS_PER_CHAR));
    }
    Ok(())
}

/// Returns the columns of a character. Some characters are drawn far wider by fonts than by
/// terminals, and count as fonts draw them.
fn cells_of(character: &str) -> usize {
    let drawn: usize = character.chars().map(wide_cells).sum();
    drawn.max(character.width())
}

/// Returns the columns of single characters that are words, numbers or ornaments, as common fonts
/// draw them; 0 for all other characters.
fn wide_cells(c: char) -> usize {
    match c {
        // The basmala and similar ligatures.
        '\u{FDFD}' => 12,
        '\u{FDF0}'..='\u{FDFC}' => 4,
        '\u{2E3A}' => 4,
        '\u{2E3B}' => 6,
        // Ornaments of Javanese and Balinese, Tamil and Myanmar signs.
        '\u{A9C1}'..='\u{A9CD}' | '\u{1B5B}'..='\u{1B60}' => 4,
        '\u{BF0}'..='\u{BFA}' | '\u{102A}' | '\u{104C}'..='\u{104F}' => 4,
        // Cuneiform; some of its numbers are wider than ten letters.
        '\u{12000}'..='\u{123FF}' | '\u{12480}'..='\u{1254F}' => 4,
        '\u{12400}'..='\u{1247F}' => 12,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    fn cleaned(text: &str) -> String {
        clean(text, 200).unwrap()
    }

    #[test]
    fn invisible_characters_are_removed_and_long_texts_refused() {
        assert_eq!(cleaned("  你好\u{202E}olleh\u{2066}\n\tworld\u{0}\u{7} "), "你好olleh world");
        assert_eq!(cleaned("a\u{200B}b\u{200D}c\u{FEFF}"), "abc");
        assert_eq!(cleaned("👩\u{200D}🚀 go 👍🏽"), "👩\u{200D}🚀 go 👍🏽");
        assert_eq!(cleaned("<b>x</b> & \"y\""), "<b>x</b> & \"y\"", "markup is text, and stays");
        assert_eq!(cleaned(&format!("e{}", "\u{0301}".repeat(50))).chars().count(), 5);
        assert_eq!(clean(" \u{202E}\u{200B}\n ", 200), Err(TextError::Empty));
        assert_eq!(clean(&"弹".repeat(201), 200), Err(TextError::TooLong(200)));
        assert_eq!(clean(&"x".repeat(1 << 20), 200), Err(TextError::TooLong(200)));
    }

    /// A case of the corpus: `unit` repeated `times` becomes `cleaned` or is refused.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        case: String,
        unit: String,
        #[serde(default = "once")]
        times: usize,
        cleaned: Option<String>,
        refused: Option<String>,
    }

    fn once() -> usize {
        1
    }

    #[test]
    fn hostile_texts_are_cleaned_or_refused() {
        let corpus: Vec<Case> =
            serde_json::from_str(include_str!("../../../testkit/corpus/hostile-texts.json")).unwrap();
        assert!(corpus.len() > 40);
        for Case { case, unit, times, cleaned, refused } in corpus {
            let got = clean(&unit.repeat(times), 200);
            match (cleaned, refused) {
                (Some(cleaned), None) => assert_eq!(got, Ok(cleaned), "{case}"),
                (None, Some(refused)) => {
                    let kind = match got {
                        Err(TextError::Empty) => "empty",
                        Err(TextError::TooLong(_)) => "too_long",
                        Err(TextError::Overloaded(_)) => "overloaded",
                        Err(TextError::TooManyCodePoints(_)) => "too_many_code_points",
                        Err(TextError::TooWide(_)) => "too_wide",
                        Ok(text) => panic!("{case}: {text:?} is accepted"),
                    };
                    assert_eq!(kind, refused, "{case}");
                }
                _ => panic!("{case}: needs either `cleaned` or `refused`"),
            }
        }
    }

    #[test]
    fn texts_of_every_script_pass_unchanged() {
        for text in [
            "前方高能！！！ 哈哈哈哈，“弹幕”……",
            "ｶﾞﾝﾊﾞﾚ がんばれ 한국어 화이팅",
            "می‌خواهم سلام",
            "क्‍ष र्‍य हिन्दी",
            "ᠮᠣᠩᠭᠣᠯ\u{180B}",
            "สวัสดีครับ Việt Nam Ελληνικά Ёлка",
            "👨‍👩‍👧‍👦 👩🏽‍❤️‍💋‍👨🏽 🏴󠁧󠁢󠁷󠁬󠁳󠁿 🇨🇳 1️⃣ ❤️ ☺︎",
            "⠓⠑⠇⠇⠕ ∑∞≠ €£¥",
        ] {
            let nfc: String = text.nfc().collect();
            assert_eq!(cleaned(text), nfc);
        }
        assert_eq!(cleaned(&"👨‍👩‍👧‍👦".repeat(100)).graphemes(true).count(), 100);
        assert_eq!(cleaned(&"弹".repeat(200)).chars().count(), 200);
        assert_eq!(cleaned(&"👍🏽".repeat(200)).chars().count(), 400);
    }

    proptest! {
        /// A cleaned text is unchanged by a second cleaning and has no control character.
        #[test]
        fn cleaning_is_idempotent(
            text in "\\PC{0,60}|.{0,60}|([a-c我 ]|[👩🚀❤👍🏽🏴]|[\u{200C}\u{200D}\u{FE0F}\u{AD}\u{34F}\u{E0067}]|[\u{300}\u{345}\u{93C}\u{94D}]|[कषمیᠠ\u{2800}1\u{20E3}]){0,40}"
        ) {
            if let Ok(once) = clean(&text, 100) {
                prop_assert_eq!(clean(&once, 100), Ok(once.clone()));
                prop_assert!(!once.chars().any(char::is_control));
            }
        }

        /// A cleaned text is bounded in characters, code points and columns, and is not blank.
        #[test]
        fn cleaned_texts_are_bounded(
            text in "(\\PC|.|[ᄀ\u{600}क्\u{200D}🙂\u{FDFD}\u{301}\u{E000}]){0,400}",
            chars_max in 1_usize..120,
        ) {
            if let Ok(text) = clean(&text, chars_max) {
                prop_assert!(text.graphemes(true).count() <= chars_max);
                prop_assert!(text.graphemes(true).all(|character| character.chars().count() <= 16));
                prop_assert!(text.chars().count() <= 4 * chars_max);
                prop_assert!(text.width() <= 2 * chars_max);
                prop_assert!(text.chars().any(|c| !c.is_whitespace() && !is_invisible(c)));
            }
        }

        /// The fast path for plain texts gives the result of the full path.
        #[test]
        fn fast_path_equals_full_path_for_plain_texts(text in "[a-z0-9 我你。，！é가-힣ァ-ヺЖ…]{0,60}") {
            prop_assert!(text.chars().all(is_plain));
            let full = clean_pass(&text);
            let full = check_size(&full, 40).map(|()| full);
            prop_assert_eq!(clean_plain(&text, 40), full);
        }
    }
}
