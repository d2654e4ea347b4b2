//! The words of a room, compiled, with the figures of each rule.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::words::{WordAction, WordRule};
use parking_lot::Mutex;

use super::mask::Mask;
use super::word_list::{Found, WordList, WordListError};
use crate::decision::{Measure, RuleHit};
use crate::text::Folded;

/// Maximum characters of a matched part that a hit keeps.
const MATCHED_CHARS_MAX: usize = 64;
/// Minutes of the figures; each has a slot of its own.
const FIGURE_MINUTES: usize = 10;

/// Why the words of a room cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {source}")]
pub struct RoomRulesError {
    /// Name of the rule with the wrong word.
    pub rule: String,
    /// The wrong word: its line is its number in the rule, from 1.
    #[source]
    pub source: WordListError,
}

/// The rules of one room, ready to be searched. Immutable, apart from their figures.
#[derive(Debug)]
pub struct RoomRules {
    rules: Vec<CompiledRule>,
}

/// One rule of a room with its compiled words and its figures.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    rule: WordRule,
    list: Arc<WordList>,
    share: Arc<Mutex<Share>>,
}

/// Texts that reached a rule in the last ten minutes, and hits among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleShare {
    /// Texts that reached the rule.
    pub texts: u64,
    /// Texts among them that have one of its words.
    pub hits: u64,
}

/// A rule with a word in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomHit {
    /// Name of the rule.
    pub rule: String,
    /// Action of the rule, which a shadow mode does not take.
    pub action: WordAction,
    /// Whether the rule only counts.
    pub shadow: bool,
    /// First part of the text that matched.
    pub matched: String,
}

/// Counts of one minute each, in a ring.
#[derive(Debug, Default)]
struct Share {
    minutes: [(u64, u64, u64); FIGURE_MINUTES],
}

impl Share {
    fn count(&mut self, is_hit: bool, now: Duration) {
        let minute = minute_of(now);
        let slot = &mut self.minutes[index(minute)];
        if slot.0 != minute {
            *slot = (minute, 0, 0);
        }
        slot.1 += 1;
        slot.2 += u64::from(is_hit);
    }

    fn sum(&self, now: Duration) -> RuleShare {
        let newest = minute_of(now);
        let is_kept = |minute: u64| minute <= newest && minute + FIGURE_MINUTES as u64 > newest;
        let kept = self.minutes.iter().filter(|(minute, ..)| is_kept(*minute));
        kept.fold(RuleShare { texts: 0, hits: 0 }, |sum, (_, texts, hits)| RuleShare {
            texts: sum.texts + texts,
            hits: sum.hits + hits,
        })
    }
}

/// Returns the minute of a time, from 1: a slot of minute 0 was never used.
const fn minute_of(now: Duration) -> u64 {
    now.as_secs() / 60 + 1
}

fn index(minute: u64) -> usize {
    usize::try_from(minute % FIGURE_MINUTES as u64).unwrap_or_default()
}

impl RoomRules {
    /// Compiles rules. Words that did not change since `before` are taken from there, and a rule that did
    /// not change keeps its figures.
    ///
    /// # Errors
    /// When a word cannot be used; the error names the rule and the word.
    pub fn build(rules: &[WordRule], before: Option<&RoomRules>) -> Result<Self, RoomRulesError> {
        let compile = |rule: &WordRule| {
            let known = before.and_then(|before| before.rules.iter().find(|it| it.rule.words == rule.words));
            let list = match known {
                Some(known) => Arc::clone(&known.list),
                None => {
                    let built = WordList::build(rule.words.iter().map(String::as_str));
                    let failed = |source| RoomRulesError { rule: rule.name.clone(), source };
                    Arc::new(built.map_err(failed)?)
                }
            };
            let same = before.and_then(|before| before.rules.iter().find(|it| it.rule == *rule));
            let share = same.map(|same| Arc::clone(&same.share));
            Ok(CompiledRule { rule: rule.clone(), list, share: share.unwrap_or_default() })
        };
        Ok(RoomRules { rules: rules.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Returns what each rule did in the last ten minutes, in the order of the rules.
    #[must_use]
    pub fn shares(&self, now: Duration) -> Vec<RuleShare> {
        self.rules.iter().map(|rule| rule.share.lock().sum(now)).collect()
    }

    /// Returns every rule with a word in `text`, and the text with its masks. Counts nothing.
    #[must_use]
    pub fn test(&self, text: &str) -> (Vec<RoomHit>, String) {
        let (folded, mut mask, mut hits) = (Folded::new(text), Mask::default(), Vec::new());
        for CompiledRule { rule, list, .. } in &self.rules {
            let mut found = list.find(&folded).peekable();
            let Some(first) = found.peek() else { continue };
            hits.push(RoomHit {
                rule: rule.name.clone(),
                action: rule.action,
                shadow: rule.shadow,
                matched: matched(text, &folded, *first).unwrap_or_default(),
            });
            if rule.action == WordAction::Mask && !rule.shadow {
                mask.add(&folded, found);
            }
        }
        let text = if mask.is_empty() { text.to_owned() } else { mask.apply(text) };
        (hits, text)
    }

    /// Returns the rules in the order of the search.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CompiledRule> {
        self.rules.iter()
    }
}

impl CompiledRule {
    /// Searches a text, and counts it. Returns the hit, and the words that were found.
    pub(crate) fn search(&self, text: &str, folded: &Folded, now: Duration) -> Option<(RuleHit, Vec<Found>)> {
        let found: Vec<_> = self.list.find(folded).collect();
        self.share.lock().count(!found.is_empty(), now);
        let first = *found.first()?;
        let hit = RuleHit {
            rule: format!("words:{}", self.rule.name),
            measure: measure(self.rule.action),
            detail: format!("word {}", first.line),
            matched: matched(text, folded, first),
        };
        Some((hit, found))
    }

    /// Returns whether the rule only counts.
    pub(crate) const fn is_shadow(&self) -> bool {
        self.rule.shadow
    }
}

const fn measure(action: WordAction) -> Measure {
    match action {
        WordAction::Mask => Measure::Mask,
        WordAction::Refuse => Measure::Refuse,
        WordAction::Hold => Measure::Hold,
        WordAction::Review => Measure::Review,
    }
}

/// Returns the part of the original text that a word of a list matched, cut to its maximum.
pub(crate) fn matched(text: &str, folded: &Folded, found: Found) -> Option<String> {
    let mut ranges = folded.originals(found.start, found.end);
    let (start, first_end) = ranges.next()?;
    excerpt(text, start, ranges.map(|(_, end)| end).fold(first_end, usize::max))
}

/// Returns a part of a text, cut to its maximum.
pub(crate) fn excerpt(text: &str, start: usize, end: usize) -> Option<String> {
    Some(text.get(start..end)?.chars().take(MATCHED_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, words: &[&str], action: WordAction, shadow: bool) -> WordRule {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        WordRule { name: name.into(), words, action, shadow }
    }

    #[test]
    fn a_test_shows_every_rule_with_its_matched_words_and_counts_nothing() {
        let rules = [
            rule("mild", &["darn"], WordAction::Mask, false),
            rule("spoiler", &["*ending"], WordAction::Review, true),
        ];
        let rules = RoomRules::build(&rules, None).unwrap();
        let (hits, text) = rules.test("D a R n, the bendings");
        assert_eq!(text, "* * * *, the bendings");
        let seen: Vec<_> = hits.iter().map(|hit| (hit.rule.as_str(), hit.matched.as_str())).collect();
        assert_eq!(seen, [("mild", "D a R n"), ("spoiler", "ending")]);
        let nothing = RuleShare { texts: 0, hits: 0 };
        assert_eq!(rules.shares(Duration::ZERO), [nothing, nothing]);
    }

    #[test]
    fn a_wrong_word_is_named_with_its_rule() {
        let error = RoomRules::build(&[rule("a", &["ok", "。"], WordAction::Hold, false)], None).unwrap_err();
        assert_eq!((error.rule.as_str(), &error.source), ("a", &WordListError::Nothing { line: 2 }));
    }

    #[test]
    fn figures_cover_ten_minutes_and_stay_with_an_unchanged_rule() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut share = Share::default();
        for minute in 0..30 {
            share.count(minute % 2 == 0, minutes(minute));
        }
        assert_eq!(share.sum(minutes(29)), RuleShare { texts: 10, hits: 5 });
        assert_eq!(share.sum(minutes(34)), RuleShare { texts: 5, hits: 2 });
        assert_eq!(share.sum(minutes(60)), RuleShare { texts: 0, hits: 0 });

        let (kept, changed) =
            (rule("a", &["x"], WordAction::Hold, true), rule("b", &["y"], WordAction::Hold, true));
        let first = RoomRules::build(&[kept.clone(), changed.clone()], None).unwrap();
        first.rules.iter().for_each(|rule| rule.share.lock().count(true, Duration::ZERO));
        let changed = WordRule { words: vec!["z".into()], ..changed };
        let second = RoomRules::build(&[changed, kept], Some(&first)).unwrap();
        let texts: Vec<_> = second.shares(Duration::ZERO).iter().map(|share| share.texts).collect();
        assert_eq!(texts, [0, 1]);
        assert!(Arc::ptr_eq(&second.rules[1].list, &first.rules[0].list), "compiled once");
    }
}
