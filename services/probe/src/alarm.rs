//! Alarm of one gateway or of one pair of sites: raised after failures in a row. Pure.

/// Change of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Raised,
    Ended,
}

/// Failures in a row, and whether they have raised the alarm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Alarm {
    failures: u32,
    is_raised: bool,
}

impl Alarm {
    /// Counts one result. The failure number `failures_max` in a row raises the alarm, and the next
    /// success ends it.
    pub(crate) fn count(&mut self, is_success: bool, failures_max: u32) -> Option<Change> {
        if is_success {
            self.failures = 0;
            return std::mem::take(&mut self.is_raised).then_some(Change::Ended);
        }
        self.failures = self.failures.saturating_add(1);
        let is_new = self.failures >= failures_max && !self.is_raised;
        self.is_raised |= is_new;
        is_new.then_some(Change::Raised)
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.is_raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarm_is_raised_by_failures_in_a_row_and_ends_with_a_success() {
        let mut alarm = Alarm::default();
        let results = [false, false, true, false, false, false, false, true, true];
        let changes: Vec<_> = results.map(|is_success| alarm.count(is_success, 3)).into();
        let (raised, ended) = (Some(Change::Raised), Some(Change::Ended));
        assert_eq!(changes, [None, None, None, None, None, raised, None, ended, None]);
        assert!(!alarm.is_raised());
    }
}
