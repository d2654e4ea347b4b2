//! Unicode properties of characters: invisible, joining, blank.
//!
//! The tables come from ICU4X, with the Unicode version of the normalisation's tables.

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic,
    GeneralCategory, JoiningType,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::characters::is_simple;

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const TEXT_STYLE: char = '\u{FE0E}';
const EMOJI_STYLE: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';
/// Placeholder of an embedded object, which counts as invisible.
const OBJECT: char = '\u{FFFC}';
/// Letters and symbols that fonts draw as nothing.
const BLANK: [char; 4] = ['\u{2800}', '\u{1D159}', '\u{13441}', '\u{13442}'];

/// Whether `c` is drawn by itself, stays in NFC and one grapheme cluster beside others of these
/// ranges, and is at most two cells wide. Most texts have only such characters.
#[must_use]
pub const fn is_plain(c: char) -> bool {
    is_simple(c)
        || matches!(c, '\u{A1}'..='\u{A8}' | '\u{AA}'..='\u{AC}' | '\u{AF}'..='\u{24F}')
        || matches!(c, '\u{400}'..='\u{482}' | '\u{48A}'..='\u{52F}')
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{AC00}'..='\u{D7A3}' | '\u{FF01}'..='\u{FF60}')
}

/// Whether `c` shows nothing by itself: default-ignorable and format characters, controls other
/// than white space, private use, unassigned and noncharacters. Unassigned code points that are
/// reserved for emoji count as visible, because new telephones have them before these tables.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    if is_simple(c) {
        return false;
    }
    let by_category = match CodePointMapData::<GeneralCategory>::new().get(c) {
        GeneralCategory::Format | GeneralCategory::PrivateUse | GeneralCategory::Surrogate => true,
        GeneralCategory::Control => !c.is_whitespace(),
        GeneralCategory::Unassigned => !is_pictographic(c),
        _ => c == OBJECT,
    };
    by_category || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether `c` is an emoji or a part of one: a modifier, a joiner, a style, a flag's tag.
#[must_use]
pub fn is_emoji_part(c: char) -> bool {
    let is_emoji = !c.is_ascii() && CodePointSetData::new::<Emoji>().contains(c);
    is_emoji
        || matches!(c, ZERO_WIDTH_JOINER | EMOJI_STYLE | KEYCAP | '\u{E0020}'..='\u{E007F}')
        || is_pictographic(c)
}

/// Whether `c` takes space and shows nothing.
#[must_use]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || BLANK.contains(&c)
}

/// Whether an invisible character has a use between its neighbours: it joins emoji, selects their
/// style, or forms letters of Indic, Arabic and Mongolian scripts as Unicode's rules for identifiers
/// (UAX 31, 2.3) allow. `before` is the text before the character.
#[must_use]
pub fn is_needed(c: char, before: &str, after: Option<char>) -> bool {
    let Some(last) = before.chars().next_back() else { return false };
    match c {
        TEXT_STYLE | EMOJI_STYLE => {
            let is_emoji = CodePointSetData::new::<Emoji>().contains(last);
            is_emoji && (!last.is_ascii() || after == Some(KEYCAP))
        }
        ZERO_WIDTH_JOINER => {
            let joins_emoji = is_pictographic(last)
                || last == EMOJI_STYLE
                || CodePointSetData::new::<EmojiModifier>().contains(last);
            match after {
                Some(after) if joins_emoji => is_pictographic(after),
                _ => ends_with_virama(before) || joins_after(before),
            }
        }
        ZERO_WIDTH_NON_JOINER => {
            ends_with_virama(before) || joins_after(before) && after.is_some_and(joins_before)
        }
        '\u{180B}'..='\u{180F}' => matches!(last, '\u{1820}'..='\u{18AA}'),
        _ => false,
    }
}

/// Returns the number of code points at the start of `text` that form the flag of England, Scotland
/// or Wales; 0 without one. No other flag consists of tags.
#[must_use]
pub fn tag_flag(text: &[char]) -> usize {
    const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];
    let tag = |byte: u8| char::from_u32(0xE_0000 + u32::from(byte));
    let is_flag = |name: &&str| {
        let tags = name.bytes().chain([0x7F]).map(tag);
        text.first() == Some(&'\u{1F3F4}')
            && tags.enumerate().all(|(at, tag)| text.get(at + 1).copied() == tag)
    };
    FLAGS.into_iter().find(is_flag).map_or(0, |name| name.len() + 2)
}

fn is_pictographic(c: char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(c)
}

/// Whether a virama is among the combining marks at the end of `text`, in any order.
fn ends_with_virama(text: &str) -> bool {
    let classes = CodePointMapData::<CanonicalCombiningClass>::new();
    let marks = text.chars().rev().map(|c| classes.get(c));
    marks
        .take_while(|class| *class != CanonicalCombiningClass::NotReordered)
        .any(|class| class == CanonicalCombiningClass::Virama)
}

/// Whether the last letter of `text` joins the one after it.
fn joins_after(text: &str) -> bool {
    let types = CodePointMapData::<JoiningType>::new();
    let mut letters = text.chars().rev().filter(|c| types.get(*c) != JoiningType::Transparent);
    let last = letters.next().map(|c| types.get(c));
    matches!(last, Some(JoiningType::DualJoining | JoiningType::LeftJoining))
}

fn joins_before(c: char) -> bool {
    let joining = CodePointMapData::<JoiningType>::new().get(c);
    matches!(joining, JoiningType::DualJoining | JoiningType::RightJoining | JoiningType::Transparent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;
    use unicode_segmentation::UnicodeSegmentation;

    #[test]
    fn plain_characters_are_in_nfc_and_visible() {
        for c in ('\0'..=char::MAX).filter(|c| is_plain(*c)) {
            assert!(std::iter::once(c).nfc().eq([c]), "{c:?}");
            assert!(!is_invisible(c) && (c == ' ' || !is_blank(c)), "{c:?}");
            for neighbour in ['a', '我', '각', 'か', 'é', '！'] {
                let two = format!("{neighbour}{c}{neighbour}");
                assert_eq!(two.graphemes(true).count(), 3, "{c:?}");
                assert!(two.nfc().eq(two.chars()), "{c:?}");
            }
        }
    }

    #[test]
    fn invisible_characters_are_found_by_property() {
        for c in "\u{AD}\u{34F}\u{61C}\u{115F}\u{17B4}\u{180B}\u{180E}\u{200B}\u{200D}\u{2028}\u{202E}\u{2060}\u{2066}\
                  \u{3164}\u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{FFFC}\u{FDD0}\u{FFFF}\u{E000}\u{600}\u{13430}\u{1BCA0}\
                  \u{1D173}\u{E0001}\u{E0100}\u{F0000}\u{10FFFF}\u{30000}\u{0}\u{7F}\u{9F}"
            .chars()
        {
            let is_space = c == '\u{2028}';
            let is_han = c == '\u{30000}';
            assert_eq!(is_invisible(c), !is_space && !is_han, "{c:?}");
        }
        for c in "a我あé🙂👍\u{1F3FB}♀\u{20E3}\u{301}ـह्\u{1FAFF}\u{FFFD} \u{3000}\n".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
        assert!(['\u{2800}', '\u{1D159}', ' ', '\u{2003}'].into_iter().all(is_blank));
    }

    #[test]
    fn joiners_are_needed_only_in_valid_sequences() {
        for (before, c, after) in [
            ("👩", '\u{200D}', Some('🚀')),
            ("👩🏽", '\u{200D}', Some('🚀')),
            ("❤\u{FE0F}", '\u{200D}', Some('🔥')),
            ("क्", '\u{200D}', Some('ष')),
            ("क्", '\u{200C}', Some('ष')),
            ("می", '\u{200C}', Some('خ')),
            ("ه", '\u{200D}', Some('.')),
            ("❤", '\u{FE0F}', None),
            ("1", '\u{FE0F}', Some('\u{20E3}')),
            ("ᠠ", '\u{180B}', None),
        ] {
            assert!(is_needed(c, before, after), "{before} {c:?} {after:?}");
        }
        for (before, c, after) in [
            ("", '\u{200D}', Some('a')),
            ("a", '\u{200D}', Some('b')),
            ("我", '\u{200D}', Some('们')),
            ("👩", '\u{200D}', Some('a')),
            ("👩", '\u{200D}', None),
            ("a", '\u{200C}', Some('b')),
            ("می", '\u{200C}', None),
            ("a", '\u{FE0F}', None),
            ("1", '\u{FE0F}', None),
            ("❤\u{FE0F}", '\u{FE0F}', None),
            ("a", '\u{180B}', None),
            ("a", '\u{AD}', Some('b')),
        ] {
            assert!(!is_needed(c, before, after), "{before} {c:?} {after:?}");
        }
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let wales = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}";
        assert_eq!(tag_flag(&chars(&format!("{wales}a"))), 7);
        assert_eq!(tag_flag(&chars("\u{1F3F4}\u{E0067}\u{E007F}")), 0);
        assert_eq!(tag_flag(&[]), 0);
    }
}
