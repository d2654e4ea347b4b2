//! What a reader sees as characters (extended grapheme clusters), with a short cut.

use unicode_segmentation::UnicodeSegmentation;

/// Whether `c` is one of the many that join nothing before or after them and that NFKC
/// leaves alone: printable ASCII, Han, kana, CJK stops. Two such in a row are two
/// characters for certain.
pub(crate) const fn is_simple(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FE}')
        || matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

/// The characters of `text` and where they begin; what
/// [`UnicodeSegmentation::grapheme_indices`] gives, several times as fast for most texts.
pub(crate) fn characters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let mut chars = rest.chars();
        let first = chars.next()?;
        let alone = is_simple(first) && chars.next().is_none_or(is_simple);
        let length = if alone { first.len_utf8() } else { rest.graphemes(true).next()?.len() };
        let start = at;
        at += length;
        Some((start, &rest[..length]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    #[test]
    fn simple_characters_are_left_alone_by_nfkc() {
        for c in ('\0'..=char::MAX).filter(|c| is_simple(*c)) {
            assert!(std::iter::once(c).nfkc().eq([c]), "{c}");
        }
    }

    proptest! {
        /// The short cut is one.
        #[test]
        fn as_the_standard_says(
            text in "\\PC{0,20}|.{0,20}|([a我カ。 \r\n]|[\u{300}\u{200d}\u{3099}\u{fe0f}ﾞ]|[👩🚀🇨🇳👍🏽]|[ᄀ각क्ष\u{600}]){0,20}",
        ) {
            let expected: Vec<_> = text.grapheme_indices(true).collect();
            prop_assert_eq!(characters(&text).collect::<Vec<_>>(), expected);
        }
    }
}
