//! The words of a room, as its host and moderators wrote them.

use std::sync::Arc;

use barrage_protocol::words::WordRule;
use serde::{Deserialize, Serialize};

use super::error::ChangeError;

/// Rules of one room at most; each costs one pass over every text of the room.
pub const WORD_RULES_MAX: usize = 16;
/// Words of all rules of a room at most.
pub const ROOM_WORDS_MAX: usize = 2_000;

/// The rules of one room with their version. A clone shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomWords {
    /// Number of changes so far; 0 before the first.
    pub version: u64,
    /// Rules in the order of the search.
    pub rules: Arc<[WordRule]>,
}

impl RoomWords {
    /// Returns the rules after a change. `expected` is the version that its writer has read.
    pub(crate) fn replaced(&self, rules: &[WordRule], expected: Option<u64>) -> Result<Self, ChangeError> {
        if expected.is_some_and(|expected| expected != self.version) {
            // A change that is applied again, to its own result, has nothing left to do.
            let is_own = expected == self.version.checked_sub(1) && *self.rules == *rules;
            return if is_own { Ok(self.clone()) } else { Err(ChangeError::WordsChanged(self.version)) };
        }
        if *self.rules == *rules {
            return Ok(self.clone());
        }
        Ok(RoomWords { version: self.version + 1, rules: rules.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::words::WordAction;

    #[test]
    fn a_change_of_an_older_version_is_refused_and_the_same_rules_change_nothing() {
        let rule = |word: &str| WordRule {
            name: "a".into(),
            words: vec![word.into()],
            action: WordAction::Review,
            shadow: true,
        };
        let first = RoomWords::default().replaced(&[rule("x")], Some(0)).unwrap();
        assert_eq!(first.version, 1);
        assert_eq!(first.replaced(&[rule("x")], None).unwrap(), first);
        assert_eq!(first.replaced(&[rule("x")], Some(0)).unwrap(), first, "applied again");
        assert_eq!(first.replaced(&[rule("y")], Some(0)), Err(ChangeError::WordsChanged(1)));
        assert_eq!(first.replaced(&[rule("y")], Some(1)).unwrap().version, 2);
        let stored = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<RoomWords>(&stored).unwrap(), first);
    }
}
