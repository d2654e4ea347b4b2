//! Word lists: all words are found in one pass over a folded text.
//!
//! A list has one word a line. Blank lines and lines that begin with `#` are skipped, and words with
//! the same fold count as one. Words match whole: beside a first or last letter of a script with
//! spaces between words, or beside a digit, the text must not continue with another one. So `ass` is
//! found in "a s s" and in "你ass啊", and not in "class". A line `*ass` is also found inside of words.
//! Chinese, Japanese, Korean and Thai have no such borders.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::text::{Boundary, Folded, Shape};

/// Maximum bytes of the file of a list: more than the largest list of long Chinese words has.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Maximum words in one list. More are an error.
pub const WORDS_MAX: usize = 200_000;
/// Maximum characters of one folded word. A longer one is an error.
pub const WORD_CHARS_MAX: usize = 64;
/// First character of a word that is also found inside of other words.
const INSIDE: char = '*';
const COMMENT: char = '#';

/// Why a list cannot be built. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordListError {
    /// A word has neither letters nor digits.
    #[error("line {line}: no letter and no digit is left of this word")]
    Nothing {
        /// Line of the word in the list, from 1.
        line: usize,
    },
    /// A word has more than [`WORD_CHARS_MAX`] characters.
    #[error("line {line}: a word has at most {WORD_CHARS_MAX} characters")]
    TooLong {
        /// Line of the word in the list, from 1.
        line: usize,
    },
    /// The list has more than [`WORDS_MAX`] words.
    #[error("line {line}: a list has at most {WORDS_MAX} words; make two lists")]
    TooMany {
        /// Line of the first word over the maximum.
        line: usize,
    },
    /// The words do not fit in one automaton.
    #[error("the words are too many bytes for one automaton")]
    TooLarge,
}

/// Where a word of a list may match, and its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    shape: Shape,
    boundary: Boundary,
    /// Line in the list, for the audit.
    line: u32,
}

/// A list that is ready to be searched. Immutable: a change makes a new list.
#[derive(Debug)]
pub struct WordList {
    automaton: AhoCorasick,
    words: Vec<Word>,
}

/// A found word, as a byte range of the folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Start of the word in the folded text, in bytes.
    pub start: usize,
    /// End of the word in the folded text, in bytes; exclusive.
    pub end: usize,
    /// Line of the word in the list, from 1.
    pub line: u32,
}

impl WordList {
    /// Builds a list from its lines. The call takes about a second for 100,000 words, so threads that
    /// serve requests must not make it.
    ///
    /// # Errors
    /// When a line is not a word, or there are too many words.
    pub fn build<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, WordListError> {
        let (mut patterns, mut words) = (Vec::<String>::new(), Vec::<Word>::new());
        let mut known = HashMap::<(String, Shape), usize>::new();
        for (line, text) in (1..).zip(lines) {
            let text = text.trim();
            if text.is_empty() || text.starts_with(COMMENT) {
                continue;
            }
            let folded = Folded::new(text);
            let shape = folded.shape().ok_or(WordListError::Nothing { line })?;
            if folded.chars() > WORD_CHARS_MAX {
                return Err(WordListError::TooLong { line });
            }
            let boundary = if text.starts_with(INSIDE) { Boundary::Anywhere } else { Boundary::WholeWord };
            let pattern = folded.as_str().to_owned();
            // Equal words have an equal shape, too: `l` is not `1`, though both have the same fold.
            match known.entry((pattern.clone(), shape)) {
                Entry::Occupied(known) => {
                    // The wider of two equal words is kept.
                    if boundary == Boundary::Anywhere {
                        words[*known.get()].boundary = boundary;
                    }
                    continue;
                }
                Entry::Vacant(new) => new.insert(words.len()),
            };
            if words.len() == WORDS_MAX {
                return Err(WordListError::TooMany { line });
            }
            patterns.push(pattern);
            words.push(Word { shape, boundary, line: u32::try_from(line).unwrap_or(u32::MAX) });
        }
        drop(known);
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .map_err(|_| WordListError::TooLarge)?;
        Ok(WordList { automaton, words })
    }

    /// Returns the number of distinct words of the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the list has no word, so that no text can hit it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Returns the approximate memory of the list, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.automaton.memory_usage() + self.words.len() * size_of::<Word>()
    }

    /// Returns the words in `text`, in the order of their ends. Words may overlap.
    pub fn find<'a>(&'a self, text: &'a Folded) -> impl Iterator<Item = Found> + 'a {
        self.automaton.find_overlapping_iter(text.as_str()).filter_map(|found| {
            let word = &self.words[found.pattern().as_usize()];
            text.is_match(found.start(), found.end(), word.shape, word.boundary).then(|| Found {
                start: found.start(),
                end: found.end(),
                line: word.line,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finds(words: &str, text: &str) -> bool {
        WordList::build(words.lines()).unwrap().find(&Folded::new(text)).next().is_some()
    }

    #[test]
    fn words_are_found_whole() {
        for text in [
            "ass",
            "a s s",
            "A.S.S!",
            "你ass啊",
            "big ass",
            "ass2",
            "a\u{200B}ss",
            "ａｓｓ",
            "аѕѕ",
            "ass🇺🇸",
            "ass™",
            "🇦🇸🇸",
        ] {
            assert!(finds("ass", text), "{text}");
        }
        for text in ["class", "assure", "cl\u{200B}ass", "CLASS", "сlаѕs", "as"] {
            assert!(!finds("ass", text), "{text}");
        }
        assert!(finds("*ass", "class"));
        assert!(finds("ass\n* ass", "class"), "the wider of two equal words is kept");
    }

    #[test]
    fn numbers_match_whole_and_not_as_words() {
        assert!(finds("89", "今天89了"));
        assert!(!finds("89", "1890"));
        assert!(!finds("lol", "101"), "digits that look like letters are digits among digits");
        assert!(finds("hello", "he110"));
        assert!(!finds("加v", "加vx"));
        assert!(finds("加v", "快加V吧"));
    }

    #[test]
    fn match_covers_whole_characters() {
        assert!(!finds("क", "क्ष"), "half of what a reader sees as one");
        assert!(!finds("*it", "ﬁt"));
        assert!(finds("微信", "微\u{0301}信\u{3099}"));
    }

    #[test]
    fn wrong_line_is_named() {
        let build = |lines: &str| WordList::build(lines.lines()).map(|list| list.len());
        assert_eq!(build("# comment\n\n bad \nBAD\n坏\n"), Ok(2));
        assert_eq!(build(""), Ok(0));
        assert_eq!(build("ok\n。🙂"), Err(WordListError::Nothing { line: 2 }));
        assert_eq!(build(&"坏".repeat(65)), Err(WordListError::TooLong { line: 1 }));
        let many: String = (0..=WORDS_MAX).map(|n| format!("词{n}\n")).collect();
        assert_eq!(build(&many), Err(WordListError::TooMany { line: WORDS_MAX + 1 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A disguised word is found between other words.
        #[test]
        fn disguised_word_is_found(
            words in prop::collection::vec("[a-z]{1,9}|[我你他她它]{1,4}|[a-z0-9我你]{2,6}", 1..8),
            at in any::<prop::sample::Index>(), seed in any::<u64>(),
            before in "([a-z他]{0,5} )?", after in "( [a-z他]{0,5})?",
        ) {
            let word = at.get(&words);
            let text = format!("{before}{}{after}", crate::text::testing::disguised(word, seed));
            prop_assert!(finds(&words.join("\n"), &text), "{:?}", text);
        }

        /// The automaton finds the words that a search at every position finds.
        #[test]
        fn automaton_equals_a_naive_search(
            words in prop::collection::vec("[*]?([abl1]{1,3}|[我你a]{1,2})", 1..12),
            text in "[abl1我你 .ﬁ\u{200B}]{0,24}",
        ) {
            let list = WordList::build(words.iter().map(String::as_str)).unwrap();
            let text = Folded::new(&text);
            let mut found: Vec<_> = list.find(&text).map(|found| (found.start, found.end)).collect();
            let mut expected = Vec::new();
            for word in &words {
                let folded = Folded::new(word);
                let pattern = folded.as_str();
                let boundary =
                    if word.starts_with('*') { Boundary::Anywhere } else { Boundary::WholeWord };
                for (start, _) in text.as_str().char_indices() {
                    let end = start + pattern.len();
                    if text.as_str()[start..].starts_with(pattern)
                        && text.is_match(start, end, folded.shape().unwrap(), boundary)
                    {
                        expected.push((start, end));
                    }
                }
            }
            found.sort_unstable();
            found.dedup();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }
}
