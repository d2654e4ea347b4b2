//! Decides when to log a failure that lasts: when it begins, once a minute, and when it ends. Pure.

use std::time::Duration;

/// Time between two log lines of one failure.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Line to log after an attempt, so that a long failure does not fill the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The first failure after a success, or a failed first attempt.
    Began,
    /// The failure lasts; logged once a minute.
    Lasts {
        /// Attempts that have failed since the failure began, this one included.
        failures: u64,
        /// Time from the first failed attempt to this one.
        since: Duration,
    },
    /// The first success after a failure; closes what [`Report::Began`] opened.
    Ended {
        /// Attempts that failed from the begin of the failure to its end.
        failures: u64,
        /// Time from its begin to its end.
        since: Duration,
    },
}

#[derive(Debug, Clone, Copy)]
struct Lasting {
    began: Duration,
    reported: Duration,
    failures: u64,
}

/// The state of one operation that may fail for a while. Times count from any fixed moment of the
/// caller's steady clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct Fault(Option<Lasting>);

impl Fault {
    /// Returns whether the last attempt failed; `false` before the first attempt.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.0.is_some()
    }

    /// Records a failed attempt; returns the line to log, if any.
    pub fn failed(&mut self, now: Duration) -> Option<Report> {
        let Some(lasting) = &mut self.0 else {
            self.0 = Some(Lasting { began: now, reported: now, failures: 1 });
            return Some(Report::Began);
        };
        lasting.failures += 1;
        if now.saturating_sub(lasting.reported) < REMIND_EVERY {
            return None;
        }
        lasting.reported = now;
        Some(Report::Lasts { failures: lasting.failures, since: now.saturating_sub(lasting.began) })
    }

    /// Records a successful attempt; returns the line to log, if any.
    pub fn succeeded(&mut self, now: Duration) -> Option<Report> {
        let lasting = self.0.take()?;
        Some(Report::Ended { failures: lasting.failures, since: now.saturating_sub(lasting.began) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_reports_its_begin_each_minute_and_its_end() {
        let at = Duration::from_secs;
        let mut fault = Fault::default();
        assert_eq!(fault.succeeded(at(1)), None);
        assert_eq!(fault.failed(at(2)), Some(Report::Began));
        let reports: Vec<_> = (3..=130).filter_map(|secs| fault.failed(at(secs))).collect();
        let lasts = |failures, secs| Report::Lasts { failures, since: at(secs) };
        assert_eq!(reports, [lasts(61, 60), lasts(121, 120)]);
        assert!(fault.lasts());
        assert_eq!(fault.succeeded(at(131)), Some(Report::Ended { failures: 129, since: at(129) }));
        assert_eq!((fault.succeeded(at(132)), fault.lasts()), (None, false));
    }
}
