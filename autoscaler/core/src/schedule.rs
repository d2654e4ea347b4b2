//! Audiences that are known beforehand and raise the floor in time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::problem::Problems;

/// An announced audience, for example "at 20:00, room 42, 300,000 viewers". It raises the floor and
/// never lowers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Name that explanations and invalid values show.
    pub name: String,
    /// Start, in seconds since the clock's origin, in production the Unix epoch.
    pub start_secs: f64,
    /// Seconds for which the raised floor holds; above 0.
    pub duration_secs: f64,
    /// Time after which it repeats, in seconds (86400: daily). Default 0: never.
    #[serde(default)]
    pub every_secs: f64,
    /// Number of viewers expected in all. Default 0.
    #[serde(default)]
    pub viewers: f64,
    /// Fewest gateways while the schedule is active. Default 0.
    #[serde(default)]
    pub replicas_min: u32,
}

impl Schedule {
    /// Whether it raises the floor at a time, when gateways take `lead_secs` to become ready.
    #[must_use]
    pub fn is_active(&self, now: Duration, lead_secs: f64) -> bool {
        let since = now.as_secs_f64() - self.start_secs + lead_secs;
        let since = if self.every_secs > 0.0 && since >= 0.0 { since % self.every_secs } else { since };
        since >= 0.0 && since < lead_secs + self.duration_secs
    }

    /// Adds every invalid value; `at` is the place in the file.
    pub fn problems(&self, at: &str, p: &mut Problems) {
        p.expect(self.start_secs.is_finite(), &format!("{at}.start_secs"), self.start_secs, "a number");
        let lasts = self.duration_secs.is_finite() && self.duration_secs > 0.0;
        p.expect(lasts, &format!("{at}.duration_secs"), self.duration_secs, "above 0");
        let every = self.every_secs;
        let repeats = every == 0.0 || every > self.duration_secs;
        p.expect(repeats, &format!("{at}.every_secs"), every, "0, or more than duration_secs");
        let viewers = self.viewers;
        let counts = viewers.is_finite() && viewers >= 0.0;
        p.expect(counts, &format!("{at}.viewers"), viewers, "0 or more");
        let says_something = viewers > 0.0 || self.replicas_min > 0;
        p.expect(says_something, at, &self.name, "viewers or replicas_min");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_is_active_from_its_lead_to_its_end_and_repeats() {
        let mut schedule = Schedule {
            name: "show".into(),
            start_secs: 1_000.0,
            duration_secs: 600.0,
            every_secs: 0.0,
            viewers: 3e5,
            replicas_min: 0,
        };
        let active = |schedule: &Schedule, at| schedule.is_active(Duration::from_secs(at), 60.0);
        for (at, expected) in [(0, false), (939, false), (940, true), (1_599, true), (1_600, false)] {
            assert_eq!(active(&schedule, at), expected, "at {at}");
        }
        assert!(!active(&schedule, 1_000 + 86_400));
        schedule.every_secs = 86_400.0;
        assert!(active(&schedule, 1_000 + 86_400) && active(&schedule, 940 + 3 * 86_400));
        assert!(!active(&schedule, 1_600 + 86_400) && !active(&schedule, 0));
    }
}
