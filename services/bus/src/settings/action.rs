//! The last actions of a room: an action that comes again is answered and not repeated.

use std::sync::Arc;

use barrage_protocol::Sequence;
use serde::{Deserialize, Serialize};

use super::error::ChangeError;

/// Actions that a room remembers. Beyond, the oldest is forgotten: its id again is a new action.
pub const ACTIONS_PER_ROOM_MAX: usize = 128;

/// Result of an action that is durable and in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionResult {
    /// Position of the signal in the room's chain; `None` when the room got no signal.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// End of the restriction that the action set, in Unix milliseconds.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// What a room remembers of one action. Names are short in storage: the log is stored with each
/// action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// Hash of the sender and of the id that the sender chose.
    #[serde(rename = "k")]
    pub key: u64,
    /// Hash of the action: the same key with another one is a conflict.
    #[serde(rename = "f")]
    pub fingerprint: u64,
    /// Hash of the value that the action sets, equal for contrary actions; `None` for an action that
    /// no other one takes back.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<u64>,
    /// Whether the order of this action and another such one on the same value is the same in effect:
    /// of two mutes the later end counts.
    #[serde(rename = "m", default, skip_serializing_if = "is_false")]
    pub merges: bool,
    /// End of a restriction in Unix milliseconds, as it was computed when the action came first.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// Result; `None` until the action is durable and in force.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ActionResult>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The last actions of one room in the order in which they began. A clone shares the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<ActionRecord>", into = "Vec<ActionRecord>")]
pub struct ActionLog {
    records: Arc<[ActionRecord]>,
}

impl From<Vec<ActionRecord>> for ActionLog {
    fn from(records: Vec<ActionRecord>) -> Self {
        ActionLog { records: records.into() }
    }
}

impl From<ActionLog> for Vec<ActionRecord> {
    fn from(log: ActionLog) -> Self {
        log.records.to_vec()
    }
}

impl ActionLog {
    /// Returns what is remembered of an action; `None` for a new or a forgotten one.
    #[must_use]
    pub fn find(&self, key: u64) -> Option<&ActionRecord> {
        self.records.iter().find(|record| record.key == key)
    }

    /// Returns whether an action that began later sets the same value otherwise. An action that was
    /// interrupted counts as carried out before the later one, and must not be carried out now.
    #[must_use]
    pub fn is_superseded(&self, key: u64) -> bool {
        let mut later = self.records.iter().skip_while(|record| record.key != key);
        let Some(ActionRecord { subject: Some(subject), merges, .. }) = later.next() else { return false };
        later.any(|record| record.subject == Some(*subject) && !(*merges && record.merges))
    }

    /// Adds an action that begins. Changes nothing for one that is known.
    pub(crate) fn begin(&self, record: &ActionRecord) -> Result<ActionLog, ChangeError> {
        match self.find(record.key) {
            Some(known) if known.fingerprint != record.fingerprint => Err(ChangeError::ActionConflict),
            Some(_) => Ok(self.clone()),
            None => {
                let forgotten = (self.records.len() + 1).saturating_sub(ACTIONS_PER_ROOM_MAX);
                let kept = self.records.iter().skip(forgotten).chain(std::iter::once(record));
                Ok(ActionLog { records: kept.cloned().collect() })
            }
        }
    }

    /// Adds the result of an action; the first result stays. Changes nothing for a forgotten one.
    pub(crate) fn end(&self, key: u64, result: ActionResult) -> ActionLog {
        let mut records = self.records.to_vec();
        for record in records.iter_mut().filter(|record| record.key == key) {
            record.result.get_or_insert(result);
        }
        records.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u64, subject: Option<u64>) -> ActionRecord {
        ActionRecord { key, fingerprint: key, subject, merges: false, until_ms: None, result: None }
    }

    #[test]
    fn an_action_is_remembered_with_its_first_result_and_refuses_another_content() {
        let log = ActionLog::default().begin(&record(1, None)).unwrap();
        let result = |n| ActionResult { sequence: Some(Sequence(n)), until_ms: None };
        let log = log.end(1, result(7)).end(1, result(8)).end(2, result(9));
        assert_eq!(log.find(1).unwrap().result, Some(result(7)));
        assert_eq!(log.begin(&record(1, None)).unwrap(), log);
        let other = ActionRecord { fingerprint: 2, ..record(1, None) };
        assert_eq!(log.begin(&other), Err(ChangeError::ActionConflict));
        let stored = serde_json::to_string(&log).unwrap();
        assert_eq!(serde_json::from_str::<ActionLog>(&stored).unwrap(), log);
    }

    #[test]
    fn a_later_action_on_the_same_value_supersedes_an_earlier_one() {
        let mut log = ActionLog::default();
        for (key, subject) in [(1, Some(5)), (2, None), (3, Some(6)), (4, Some(5)), (5, None)] {
            log = log.begin(&record(key, subject)).unwrap();
        }
        let superseded: Vec<_> = (1..=6).filter(|key| log.is_superseded(*key)).collect();
        assert_eq!(superseded, [1], "neither the later one, nor others, nor those without a value");
        let mut log = ActionLog::default();
        for (key, merges) in [(1, true), (2, false), (3, true), (4, true)] {
            log = log.begin(&ActionRecord { merges, ..record(key, Some(5)) }).unwrap();
        }
        let superseded: Vec<_> = (1..=4).filter(|key| log.is_superseded(*key)).collect();
        assert_eq!(superseded, [1, 2], "a mute is taken back by an unmute, and never by another mute");
    }

    #[test]
    fn the_oldest_actions_are_forgotten_beyond_the_maximum() {
        let mut log = ActionLog::default();
        for key in 0..ACTIONS_PER_ROOM_MAX as u64 + 10 {
            log = log.begin(&record(key, None)).unwrap();
        }
        assert_eq!(log.records.len(), ACTIONS_PER_ROOM_MAX);
        assert!(log.find(9).is_none() && log.find(10).is_some());
    }
}
