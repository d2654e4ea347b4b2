//! How many partitions the rooms are to be spread over. Pure.

use serde::{Deserialize, Serialize};

/// The wanted number of partitions, as an operator set it last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlan {
    /// Number of changes; 0 until an operator sets a number for the first time.
    pub version: u64,
    /// Number of partitions that rooms are to be spread over.
    pub partitions: u16,
    /// Greatest number that was ever set: so many streams may hold messages.
    pub made: u16,
    /// Every publish that is under way has the condition of a gate: rooms may move.
    #[serde(default)]
    pub ready: bool,
}

impl PartitionPlan {
    /// Returns whether publishes have the condition of a gate.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.version > 0
    }

    pub(crate) fn with(self, partitions: u16) -> Self {
        let made = self.made.max(partitions);
        if self.is_set() && self.partitions == partitions {
            return self;
        }
        PartitionPlan { version: self.version + 1, partitions, made, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_set_twice_is_one_change_and_streams_stay() {
        let four = PartitionPlan::default().with(4);
        assert_eq!(four, PartitionPlan { version: 1, partitions: 4, made: 4, ready: false });
        let four = PartitionPlan { ready: true, ..four };
        assert_eq!(four.with(4), four);
        assert_eq!(four.with(2), PartitionPlan { version: 2, partitions: 2, made: 4, ready: true });
        assert!(four.is_set() && !PartitionPlan::default().is_set());
    }
}
