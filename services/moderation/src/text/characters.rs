//! Characters as a reader counts them (extended grapheme clusters), with a fast path.

use unicode_segmentation::UnicodeSegmentation;

/// Whether `c` joins no neighbour and is unchanged by NFKC: printable ASCII, Han, kana, CJK stops.
/// Two such code points in a row are two characters.
pub(crate) const fn is_simple(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FE}')
        || matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

/// Returns the characters of `text` with their positions. The result equals
/// [`UnicodeSegmentation::grapheme_indices`], several times as fast for most texts.
pub(crate) fn characters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let is_ascii = |byte: &u8| matches!(byte, b' '..=b'~');
    std::iter::from_fn(move || {
        let start = at;
        let mut bytes = text.as_bytes()[at..].iter();
        // Most texts are ASCII: nothing is decoded for a character of it before another.
        if bytes.next().is_some_and(is_ascii) && bytes.next().is_none_or(is_ascii) {
            at += 1;
            return Some((start, &text[start..at]));
        }
        let rest = &text[at..];
        let mut chars = rest.chars();
        let first = chars.next()?;
        let alone = is_simple(first) && chars.next().is_none_or(is_simple);
        let length = if alone { first.len_utf8() } else { rest.graphemes(true).next()?.len() };
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
    fn simple_characters_are_unchanged_by_nfkc() {
        for c in ('\0'..=char::MAX).filter(|c| is_simple(*c)) {
            assert!(std::iter::once(c).nfkc().eq([c]), "{c}");
        }
    }

    proptest! {
        /// The fast path gives the result of the standard's algorithm.
        #[test]
        fn characters_equal_grapheme_clusters(
            text in "\\PC{0,20}|.{0,20}|([a我カ。 \r\n]|[\u{300}\u{200d}\u{3099}\u{fe0f}ﾞ]|[👩🚀🇨🇳👍🏽]|[ᄀ각क्ष\u{600}]){0,20}",
        ) {
            let expected: Vec<_> = text.grapheme_indices(true).collect();
            prop_assert_eq!(characters(&text).collect::<Vec<_>>(), expected);
        }
    }
}
