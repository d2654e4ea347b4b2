//! A text as it is matched.
//!
//! Folded are: compatibility forms (full-width, circled, mathematical letters: NFKC),
//! case, letters of other scripts that look Latin, accents on Latin, Greek and Cyrillic letters.
//! Gone are: spaces, punctuation, symbols, emoji, invisible characters, and marks on
//! letters of a script that is not theirs. What is left are letters and digits.
//!
//! Not folded: letters written as digits of another shape (`3` for `e`), repeated
//! letters, and look-alikes among Han characters.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::UnicodeScript;

use crate::characters::characters;
use crate::fold_table::{CharFold, Kind, folded, is_invisible};

/// One folded character and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Where it begins in the folded text, in bytes.
    at: u32,
    /// What a reader sees as the character it came from, in bytes of the original.
    start: u32,
    end: u32,
    kind: Kind,
    /// Nothing visible lies between this one's character and the one before.
    joined: bool,
}

/// A folded text with the way back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    text: String,
    units: Vec<Unit>,
}

/// Which ends of a match must not lie inside a word, and what a match must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    first: Kind,
    last: Kind,
    /// It has something else than digits.
    worded: bool,
}

impl Folded {
    /// Folds `text`. Positions are 32 bits wide: only the first 4 GiB are read.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut folded = Folded { text: String::with_capacity(text.len()), units: Vec::new() };
        folded.units.reserve(text.len() / 2);
        let mut joined = false;
        for (start, grapheme) in characters(text) {
            let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(start + grapheme.len())) else {
                break;
            };
            let before = folded.units.len();
            let visible = folded.push(grapheme, start, end);
            if folded.units.len() > before {
                folded.units[before].joined = joined;
                joined = true;
            } else if visible {
                joined = false;
            }
        }
        folded
    }

    /// Adds what one grapheme folds to; whether anything of it can be seen.
    fn push(&mut self, grapheme: &str, start: u32, end: u32) -> bool {
        let mut chars = grapheme.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return self.push_char(c, None, start, end);
        }
        let (mut base, mut visible) = (None, false);
        for c in grapheme.chars().filter(|c| !is_invisible(*c)).nfkc() {
            visible |= self.push_char(c, base, start, end);
            base = base.or(Some(c));
        }
        visible
    }

    fn push_char(&mut self, c: char, base: Option<char>, start: u32, end: u32) -> bool {
        // Vowel signs and the like belong to their letters; others are scribble.
        if is_combining_mark(c) && base.is_none_or(|base| base.script() != c.script()) {
            return false;
        }
        folded(c, |fold| match fold {
            CharFold::Invisible => false,
            CharFold::Separator => true,
            CharFold::One(to, kind) => {
                self.push_unit(*to, *kind, start, end);
                true
            }
            CharFold::Many(all) => {
                all.iter().for_each(|(to, kind)| self.push_unit(*to, *kind, start, end));
                true
            }
        })
    }

    fn push_unit(&mut self, c: char, kind: Kind, start: u32, end: u32) {
        let at = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.units.push(Unit { at, start, end, kind, joined: true });
        self.text.push(c);
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its length in characters.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.units.len()
    }

    /// The shape of a word that is this text; `None` for a text that folds to nothing.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let (first, last) = (self.units.first()?.kind, self.units.last()?.kind);
        Some(Shape { first, last, worded: self.units.iter().any(|unit| unit.kind != Kind::Digit) })
    }

    /// Whether the bytes `start..end` of the folded text, which spell a word of the
    /// given shape, stand for it: they are whole characters of the original, not all
    /// digits by chance and, if `whole_word`, not a part of a longer word or number.
    pub(crate) fn is_match(&self, start: usize, end: usize, shape: Shape, whole_word: bool) -> bool {
        let units = self.units_of(start, end);
        let (Some(first), Some(last)) = (self.units[units.clone()].first(), self.units[units.clone()].last())
        else {
            return false;
        };
        let before = units.start.checked_sub(1).map(|at| self.units[at]);
        let after = self.units.get(units.end);
        if before.is_some_and(|unit| unit.start == first.start)
            || after.is_some_and(|unit| unit.start == last.start)
        {
            return false;
        }
        if shape.worded && self.units[units].iter().all(|unit| unit.kind == Kind::Digit) {
            return false;
        }
        let goes_on = |kind: Kind, neighbour: Kind| kind != Kind::Unspaced && kind == neighbour;
        !whole_word
            || !(before.is_some_and(|unit| first.joined && goes_on(shape.first, unit.kind))
                || after.is_some_and(|unit| unit.joined && goes_on(shape.last, unit.kind)))
    }

    /// The characters of the original that `start..end` of the folded text came from,
    /// as byte ranges; what lies between them and folds to nothing is not among them.
    pub(crate) fn originals(&self, start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
        self.units[self.units_of(start, end)].iter().map(|unit| (unit.start as usize, unit.end as usize))
    }

    fn units_of(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        let first = self.units.partition_point(|unit| (unit.at as usize) < start);
        let count = self.units[first..].partition_point(|unit| (unit.at as usize) < end);
        first..first + count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    fn fold(text: &str) -> String {
        Folded::new(text).text
    }

    #[test]
    fn disguises_of_one_word_fold_to_the_same() {
        let plain = fold("police");
        for disguise in [
            "POLICE",
            "ｐｏｌｉｃｅ",
            "p o-l.i*c_e",
            "p\u{200B}o\u{200D}l\u{AD}i\u{FEFF}c\u{2060}e",
            "роliсе",
            "рοӏісе",
            "ⓟⓞⓛⓘⓒⓔ",
            "𝐩𝓸𝕝𝖎𝚌𝑒",
            "🅟🅞🅛🅘🅒🅔",
            "🅿🅾🅻🅸🅲🅴",
            "pólìçè",
            "p̶o̶l̶i̶c̶e̶",
            "po1ice",
            "p0l1ce",
            "poIice",
            "p🙂o🙂l🙂i🙂c🙂e",
        ] {
            assert_eq!(fold(disguise), plain, "{disguise}");
        }
        assert_eq!(fold("加 微★信。"), "加微信");
        assert_eq!(fold("坏\u{3099}人\u{0301}"), "坏人");
        assert_eq!(fold("ТЕСТ"), fold("тест"));
        assert_eq!(fold("Ёлка Йод"), fold("елка иод"));
        assert_eq!(fold("ﬁsh"), fold("fish"));
    }

    #[test]
    fn what_differs_in_meaning_stays_apart() {
        for (one, other) in
            [("ばか", "はか"), ("가나", "각나"), ("末", "未"), ("corn", "com"), ("की", "कि"), ("v5", "vs")]
        {
            assert_ne!(fold(one), fold(other));
        }
        assert_eq!(fold("한국"), fold("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"));
        assert_eq!(fold("が"), fold("か\u{3099}"));
        assert_eq!(fold("ｶﾞ"), fold("ガ"));
        assert_eq!(fold(" 。…🙂\u{200B}\u{202E}"), "");
    }

    proptest! {
        /// Positions are in order, on the borders of characters, and cover each
        /// folded character; folding a folded text changes nothing that matters.
        #[test]
        fn positions_are_valid(text in "\\PC{0,40}|.{0,40}|[a-cｱ-ﾞﬁ각\u{300}\u{200d}\u{3099}我 .]{0,30}") {
            let folded = Folded::new(&text);
            prop_assert_eq!(folded.units.len(), folded.text.chars().count());
            for (unit, (at, _)) in folded.units.iter().zip(folded.text.char_indices()) {
                prop_assert_eq!(unit.at as usize, at);
                let original = text.get(unit.start as usize..unit.end as usize);
                prop_assert_eq!(original.unwrap().graphemes(true).count(), 1);
            }
            prop_assert!(folded.units.is_sorted_by_key(|unit| (unit.start, unit.end)));
            for (start, c) in folded.text.char_indices() {
                let end = start + c.len_utf8();
                prop_assert_eq!(folded.originals(start, end).count(), 1);
            }
        }

        /// Case, width, spaces and invisible characters make no difference.
        #[test]
        fn disguise_makes_no_difference(word in "[a-zA-Z0-9我你他]{1,12}", seed in any::<u64>()) {
            let disguised = crate::testing::disguised(&word, seed);
            prop_assert_eq!(fold(&disguised), fold(&word), "{:?}", disguised);
        }
    }
}
