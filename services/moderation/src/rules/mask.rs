//! Masking: each found character is replaced, and all others stay.

use super::word_list::Found;
use crate::text::Folded;

/// Shown instead of each masked part of a text.
const MASK: char = '*';

/// The parts of a text to mask, as byte ranges of the original.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    ranges: Vec<(usize, usize)>,
}

impl Mask {
    /// Adds the original characters of found words. Characters between them that fold to nothing stay.
    /// `found` is in the order of the ends, as [`WordList::find`](crate::WordList::find) returns it.
    pub fn add(&mut self, folded: &Folded, found: impl IntoIterator<Item = Found>) {
        // Overlapping words become one span, so that the spans are never longer than the text.
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for Found { mut start, end, .. } in found {
            while let Some((before, _)) = spans.pop_if(|(_, until)| *until > start) {
                start = start.min(before);
            }
            spans.push((start, end));
        }
        for (start, end) in spans {
            self.ranges.extend(folded.originals(start, end));
        }
    }

    /// Adds one range of the original, which becomes one `*`.
    pub(crate) fn add_range(&mut self, start: usize, end: usize) {
        self.ranges.push((start, end));
    }

    /// Whether there is no part to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns `text` with one `*` for each range. Overlapping ranges count as one.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end) in ranges {
            if start >= at {
                out.push_str(&text[at..start]);
                out.push(MASK);
            }
            at = at.max(end);
        }
        out.push_str(&text[at..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::word_list::WordList;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    fn masked(words: &str, text: &str) -> String {
        let (list, folded) = (WordList::build(words.lines()).unwrap(), Folded::new(text));
        let mut mask = Mask::default();
        mask.add(&folded, list.find(&folded));
        mask.apply(text)
    }

    #[test]
    fn each_character_becomes_one_star() {
        assert_eq!(masked("bad", "so BAD, b a d!"), "so ***, * * *!");
        assert_eq!(masked("坏人", "他是坏，人。"), "他是*，*。");
        assert_eq!(masked("bad", "ｂａｄ́ 👩\u{200D}🚀"), "*** 👩\u{200D}🚀");
        assert_eq!(masked("坏人\n人啊", "坏人啊"), "***");
        assert_eq!(masked("fish", "ﬁsh"), "***");
        assert_eq!(masked("bad", "good"), "good");
    }

    #[test]
    fn overlapping_words_mask_no_more_than_the_text() {
        let words: String = (1..=64).map(|n| format!("*{}\n", "a".repeat(n))).collect();
        let text = "a".repeat(2_000);
        let (list, folded) = (WordList::build(words.lines()).unwrap(), Folded::new(&text));
        let mut mask = Mask::default();
        mask.add(&folded, list.find(&folded));
        assert_eq!(mask.ranges.len(), 2_000);
        assert_eq!(mask.apply(&text), "*".repeat(2_000));
    }

    proptest! {
        /// Each character is unchanged or one star, and a text changes only when a word is found.
        #[test]
        fn characters_that_are_not_found_stay(
            words in prop::collection::vec("[ab]{1,3}|[我你]{1,2}", 1..6),
            text in "[abc我你他 .\u{300}\u{200D}👩🚀ﬁ]{0,30}",
        ) {
            let words = words.join("\n");
            let masked = masked(&words, &text);
            let (before, after): (Vec<_>, Vec<_>) =
                (text.graphemes(true).collect(), masked.graphemes(true).collect());
            prop_assert_eq!(before.len(), after.len());
            prop_assert!(before.iter().zip(&after).all(|(one, other)| one == other || *other == "*"));
            let list = WordList::build(words.lines()).unwrap();
            let folded = Folded::new(&text);
            prop_assert_eq!(list.find(&folded).next().is_some(), masked != text);
        }
    }
}
