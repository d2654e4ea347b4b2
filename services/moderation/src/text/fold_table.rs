//! The folding of one character: to nothing, to one or to several characters.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_security::skeleton;

use super::glyph;

/// The kind of a folded character. The kinds beside a match decide whether it is a whole word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A letter of a script with spaces between words: Latin to Sinhala.
    Letter,
    /// A digit from 0 to 9, in any form.
    Digit,
    /// A letter of a script without spaces between words: Han, kana, Hangul, Thai and later ones.
    Unspaced,
}

/// The result of folding one character, without regard to the characters beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CharFold {
    /// Folds to nothing, and is not visible.
    Invisible,
    /// Folds to nothing, and is visible: a space, a punctuation mark, a symbol.
    Separator,
    /// Folds to one character, as most do.
    One(char, Kind),
    /// Folds to several: a ligature, a squared word.
    Many(Box<[(char, Kind)]>),
}

/// First code point that is not in the table. Code points from here on are rare and folded when they
/// occur.
const TABLE_END: u32 = 0x1_0000;
/// Ideographs fold to themselves, because many look like another of different meaning (末 and 未).
const HAN: RangeInclusive<char> = '\u{3400}'..='\u{9FFF}';
const KATAKANA: RangeInclusive<char> = '\u{30A1}'..='\u{30FA}';
/// Scripts that imitate Latin, for which look-alikes are folded. The scripts from Hebrew to Tibetan
/// are excluded, because their letters differ by small details.
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

/// Code points of one page of the table.
const PAGE: usize = 256;
/// The folds of the first 65,536 code points. A page is computed when its first character occurs, in some 0.1 ms:
/// most texts need a few pages. All of them take 2 MB.
static PAGES: [OnceLock<Box<[CharFold]>>; TABLE_END as usize / PAGE] =
    [const { OnceLock::new() }; TABLE_END as usize / PAGE];

/// Calls `with` on the fold of `c`.
pub(crate) fn folded<T>(c: char, with: impl FnOnce(&CharFold) -> T) -> T {
    match known(c) {
        Some(known) => with(known),
        None => with(&compute(c)),
    }
}

/// Whether `c` shows nothing. Faster than [`glyph::is_invisible`] for characters of the table.
pub(crate) fn is_invisible(c: char) -> bool {
    match known(c) {
        Some(known) => *known == CharFold::Invisible,
        None => glyph::is_invisible(c),
    }
}

/// Returns the fold of a character of the table.
fn known(c: char) -> Option<&'static CharFold> {
    let (page, place) = (c as usize / PAGE, c as usize % PAGE);
    Some(&PAGES.get(page)?.get_or_init(|| compute_page(page))[place])
}

#[cold]
fn compute_page(page: usize) -> Box<[CharFold]> {
    let codes = (page * PAGE)..((page + 1) * PAGE);
    let of = |code: usize| u32::try_from(code).ok().and_then(char::from_u32);
    codes.map(|code| of(code).map_or(CharFold::Invisible, compute)).collect()
}

fn compute(c: char) -> CharFold {
    if glyph::is_invisible(c) {
        return CharFold::Invisible;
    }
    // A flag or a trade mark after a word is not part of the word, though it folds to letters.
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

/// Returns the letter inside a circle or square, which normalisation does not change.
fn boxed_letter(c: char) -> char {
    let first = match c {
        '\u{1F150}'..='\u{1F169}' => 0x1F150,
        '\u{1F170}'..='\u{1F189}' => 0x1F170,
        '\u{1F1E6}'..='\u{1F1FF}' => 0x1F1E6,
        _ => return c,
    };
    char::from_u32(u32::from('a') + (c as u32 - first)).unwrap_or(c)
}

/// Calls `emit` on the letters that the lower-case letter or digit `c` looks like.
///
/// Used is Unicode's table of confusables where it leads to Latin letters, and from katakana to Han
/// (ロ, 口). The rest of the table would remove く and make 강 equal 가 with an o. Three things
/// differ from the table: `m` is not `rn`, so that "corn" is not "com"; `i` equals `l` (I and l);
/// Cyrillic letters whose capitals look Latin equal those. Accents are removed from Latin, Greek and
/// Cyrillic letters.
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
    // パ is not ハ: marks are removed from letters of other scripts only.
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

/// Maps `i` to `l`, and the small capitals of the table for Cyrillic letters to Latin letters.
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

    /// The table is made for comparing names; it must not remove or merge letters of other scripts.
    #[test]
    fn letters_of_unspaced_scripts_stay_and_differ() {
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

    /// An unassigned or private character must not change the folded text.
    #[test]
    fn invisible_characters_fold_to_nothing() {
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
