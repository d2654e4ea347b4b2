//! What one character folds to.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_security::skeleton;

use crate::glyph;

/// What stands next to a match decides whether it is a whole word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A letter of a script that puts spaces between words: Latin to Sinhala.
    Letter,
    /// 0 to 9, whatever they look like.
    Digit,
    /// Han, kana, Hangul, Thai and what comes after.
    Unspaced,
}

/// Everything that one character folds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CharFold {
    /// Nothing, and nobody sees that it is there.
    Invisible,
    /// Nothing: a space, a punctuation mark, a symbol.
    Separator,
    /// Most characters.
    One(char, Kind),
    /// Ligatures, squared words.
    Many(Box<[(char, Kind)]>),
}

/// First code point that the table does not hold; those beyond are rare and folded
/// when they are met.
const TABLE_END: u32 = 0x1_0000;
/// Ideographs fold to themselves: many are look-alikes of another of different
/// meaning (末 and 未).
const HAN: RangeInclusive<char> = '\u{3400}'..='\u{9FFF}';
const KATAKANA: RangeInclusive<char> = '\u{30A1}'..='\u{30FA}';
/// Where look-alikes are looked up: scripts that Latin is imitated with. Left out are
/// those from Hebrew to Tibetan, where letters are told apart by less than a glance sees.
const LOOKED_UP: [RangeInclusive<char>; 6] = [
    '\u{30}'..='\u{58F}',
    '\u{10A0}'..='\u{1FFF}',
    '\u{2C00}'..='\u{2DFF}',
    KATAKANA,
    '\u{A4D0}'..='\u{ABBF}',
    '\u{10280}'..='\u{1FFFF}',
];
/// First character after the scripts with spaces between words.
const UNSPACED_FIRST: char = '\u{0E00}';

/// About 2 MB, made at first use (some 30 ms).
static TABLE: LazyLock<Box<[CharFold]>> = LazyLock::new(|| {
    (0..TABLE_END).map(|code| char::from_u32(code).map_or(CharFold::Invisible, compute)).collect()
});

/// Makes the table now, not while the first text waits.
pub(crate) fn prepare() {
    LazyLock::force(&TABLE);
}

/// Calls `with` on what `c` folds to.
pub(crate) fn folded<T>(c: char, with: impl FnOnce(&CharFold) -> T) -> T {
    match TABLE.get(c as usize) {
        Some(known) => with(known),
        None => with(&compute(c)),
    }
}

/// Whether `c` shows nothing, by the table where it has `c`.
pub(crate) fn is_invisible(c: char) -> bool {
    match TABLE.get(c as usize) {
        Some(known) => *known == CharFold::Invisible,
        None => glyph::is_invisible(c),
    }
}

fn compute(c: char) -> CharFold {
    if glyph::is_invisible(c) {
        return CharFold::Invisible;
    }
    // A flag or a trade mark after a word is not part of it, though it folds to letters.
    let is_letter = c.is_alphabetic();
    let mut all = Vec::new();
    for c in std::iter::once(boxed_letter(c)).nfkc() {
        let kind_of = |to: char| match c {
            _ if c.is_ascii_digit() => Kind::Digit,
            _ if is_letter && to < UNSPACED_FIRST && to.is_alphabetic() => Kind::Letter,
            _ => Kind::Unspaced,
        };
        for lower in c.to_lowercase().filter(|c| c.is_alphanumeric() || is_combining_mark(*c)) {
            look_alikes(lower, |to| all.push((to, kind_of(to))));
        }
    }
    match all[..] {
        [] => CharFold::Separator,
        [(to, kind)] => CharFold::One(to, kind),
        _ => CharFold::Many(all.into()),
    }
}

/// Letters in circles and squares, which normalisation leaves alone.
fn boxed_letter(c: char) -> char {
    let first = match c {
        '\u{1F150}'..='\u{1F169}' => 0x1F150,
        '\u{1F170}'..='\u{1F189}' => 0x1F170,
        '\u{1F1E6}'..='\u{1F1FF}' => 0x1F1E6,
        _ => return c,
    };
    char::from_u32(u32::from('a') + (c as u32 - first)).unwrap_or(c)
}

/// Calls `emit` on what the lower-case letter or digit `c` looks like: Unicode's table
/// of confusables, where it leads to Latin letters, and from katakana to Han (ロ, 口).
/// The rest of the table would make く vanish and 강 be 가 with an o. Changed in it: `m`
/// is not `rn`, so that "corn" is not "com"; `i` is `l` (I and l); Cyrillic letters whose
/// capitals look Latin are those. Accents fall off Latin, Greek and Cyrillic letters.
fn look_alikes(c: char, mut emit: impl FnMut(char)) {
    match c {
        'i' => return emit('l'),
        'a'..='z' => return emit(c),
        _ => {}
    }
    let mut bare = String::new();
    if matches!(c, '\u{80}'..='\u{52F}' | '\u{1E00}'..='\u{1FFF}') {
        decompose_canonical(c, |part| bare.extend((!is_combining_mark(part)).then_some(part)));
    } else {
        bare.push(c);
    }
    let is_katakana = KATAKANA.contains(&c);
    // パ is not ハ: only what falls off Latin letters is left out.
    let kept = |part: &char| is_katakana || !is_combining_mark(*part);
    let look: String = if LOOKED_UP.iter().any(|range| range.contains(&c)) {
        skeleton(&bare).filter(kept).map(|c| latin(c.to_ascii_lowercase())).collect()
    } else {
        bare.clone()
    };
    let look = look.replace("rn", "m");
    let is_latin = !look.is_empty() && look.bytes().all(|b| b.is_ascii_lowercase());
    let chosen = if is_latin || is_katakana && is_one_han(&look) { look } else { bare };
    chosen.chars().for_each(emit);
}

fn is_one_han(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| HAN.contains(&c)) && chars.next().is_none()
}

/// `i` as everywhere; small capitals, which stand in the table for Cyrillic letters.
fn latin(c: char) -> char {
    match c {
        'i' => 'l',
        'ʙ' => 'b',
        'ʜ' => 'h',
        'ĸ' => 'k',
        'ʍ' => 'm',
        'ᴛ' => 't',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A table that is made for comparing names must not eat other languages.
    #[test]
    fn letters_of_unspaced_scripts_neither_vanish_nor_become_each_other() {
        let scripts = [
            '\u{E01}'..='\u{E2E}',
            '\u{3041}'..='\u{3094}',
            '\u{30A1}'..='\u{30FA}',
            '\u{AC00}'..='\u{D7A3}',
            HAN,
        ];
        for script in scripts {
            let mut seen = HashMap::new();
            for c in script.filter(|c| c.is_alphabetic()) {
                let fold = compute(c);
                assert!(matches!(fold, CharFold::One(_, Kind::Unspaced)), "{c} {fold:?}");
                assert_eq!(seen.insert(format!("{fold:?}"), c), None, "{c}");
            }
        }
    }

    /// An unassigned or private character must not make one text into another.
    #[test]
    fn what_shows_nothing_folds_to_nothing() {
        for c in
            ['\u{378}', '\u{E000}', '\u{FFFC}', '\u{FDD0}', '\u{10FFFF}', '\u{AD}', '\u{13430}', '\u{E0100}']
        {
            assert_eq!(compute(c), CharFold::Invisible, "{c:?}");
            assert!(is_invisible(c), "{c:?}");
        }
        assert!(!is_invisible('a') && !is_invisible('\u{1F600}') && !is_invisible(' '));
    }

    #[test]
    fn no_letter_is_a_separator() {
        for c in ('\u{41}'..='\u{1FFFF}').filter(|c| c.is_alphabetic() && !is_combining_mark(*c)) {
            let gone = matches!(compute(c), CharFold::Separator) && c != '\u{37A}';
            assert!(!gone, "{c} {:x}", c as u32);
        }
    }
}
