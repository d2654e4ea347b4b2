//! Bounds of a room's rules, and their figures for people. Pure.

use std::collections::HashSet;

use barrage_bus::{ROOM_WORDS_MAX, WORD_RULES_MAX};
use barrage_moderation::RuleShare;
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::words::{RuleFigures, WordAction, WordRule};

const NAME_CHARS_MAX: usize = 32;
/// Maximum bytes of one word as it is written, before it is folded.
const WORD_BYTES_MAX: usize = 256;
/// Maximum bytes of all words of a room.
const WORDS_BYTES_MAX: usize = 128 * 1024;

/// Checks the bounds of the rules of a room. Their compilation checks each word.
pub(super) fn checked(rules: &[WordRule]) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if rules.len() > WORD_RULES_MAX {
        return bad(format!("rules: at most {WORD_RULES_MAX} rules"));
    }
    let mut names = HashSet::new();
    for WordRule { name, words, .. } in rules {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !is_plain || !(1..=NAME_CHARS_MAX).contains(&name.len()) {
            return bad(format!("rules.name: 1 to {NAME_CHARS_MAX} letters, digits, _ or -"));
        }
        if !names.insert(name.as_str()) {
            return bad(format!("rules.name: two rules are named {name}"));
        }
        for word in words {
            // Lists have such lines, which would be skipped here without a notice.
            let word = word.trim();
            if word.is_empty() || word.starts_with('#') {
                return bad(format!("rule {name}: a word is blank, or begins with #"));
            }
            if word.len() > WORD_BYTES_MAX || word.contains(['\n', '\r']) {
                return bad(format!("rule {name}: a word is one line of at most {WORD_BYTES_MAX} bytes"));
            }
        }
    }
    if rules.iter().map(|rule| rule.words.len()).sum::<usize>() > ROOM_WORDS_MAX {
        return bad(format!("words: at most {ROOM_WORDS_MAX} words in a room"));
    }
    if rules.iter().flat_map(|rule| &rule.words).map(String::len).sum::<usize>() > WORDS_BYTES_MAX {
        return bad(format!("words: at most {WORDS_BYTES_MAX} bytes in a room"));
    }
    Ok(())
}

/// Returns the figures of a rule, with a sentence for people.
pub(super) fn figures(rule: &WordRule, share: RuleShare) -> RuleFigures {
    let RuleShare { texts, hits } = share;
    #[allow(clippy::cast_precision_loss, reason = "counts of ten minutes are far below 2^52")]
    let percent = if texts == 0 { 0.0 } else { (hits as f64 * 1_000.0 / texts as f64).round() / 10.0 };
    let verb = match (rule.action, rule.shadow) {
        (WordAction::Mask, false) => "masked",
        (WordAction::Refuse, false) => "refused",
        (WordAction::Hold, false) => "held",
        (WordAction::Review, false) => "sent to review",
        (WordAction::Mask, true) => "would have masked",
        (WordAction::Refuse, true) => "would have refused",
        (WordAction::Hold, true) => "would have held",
        (WordAction::Review, true) => "would have sent to review",
    };
    let summary = format!("{verb} {percent:.1} % in ten minutes");
    RuleFigures { name: rule.name.clone(), texts, hits, percent, summary }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, words: Vec<String>) -> WordRule {
        WordRule { name: name.into(), words, action: WordAction::Hold, shadow: true }
    }

    #[test]
    fn figures_read_as_a_sentence() {
        let shown = figures(&rule("a", vec![]), RuleShare { texts: 1_000, hits: 31 });
        assert_eq!(shown.summary, "would have held 3.1 % in ten minutes");
        assert_eq!(figures(&rule("a", vec![]), RuleShare { texts: 0, hits: 0 }).percent, 0.0);
    }

    #[test]
    fn rules_out_of_bounds_are_refused() {
        let word = |word: &str| vec![rule("a", vec![word.into()])];
        let many = |count: usize| (0..count).map(|n| format!("w{n}")).collect();
        assert!(checked(&[rule("a", many(1_000)), rule("b", many(1_000))]).is_ok());
        for bad in [
            vec![rule("", vec![])],
            vec![rule("../x", vec![])],
            vec![rule("a", vec![]), rule("a", vec![])],
            word(" "),
            word("# comment"),
            word("a\nb"),
            word(&"x".repeat(257)),
            vec![rule("a", many(2_001))],
            (0..17).map(|n| rule(&format!("r{n}"), vec![])).collect(),
            vec![rule("a", vec!["字".repeat(80); 600])],
        ] {
            assert_eq!(checked(&bad).unwrap_err().code, Code::BadRequest);
        }
    }
}
