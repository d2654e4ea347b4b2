//! The latest report of each instance, and when the servers last answered. Pure but for the clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::bucket::SILENCE_MAX;
use crate::registry::{InstanceReport, Registered};

/// Silence of the servers that counts as a failure. Reports arrive every second, so a longer
/// silence has another cause than load; it is well below [`SILENCE_MAX`].
pub(crate) const SERVERS_SILENT_MIN: Duration = Duration::from_secs(2);
/// Maximum number of instances; reports of further ones are not listed.
pub(crate) const INSTANCES_MAX: usize = 1_024;

/// The latest report of each instance, at most [`INSTANCES_MAX`] of them.
#[derive(Debug)]
pub(crate) struct LatestReports {
    /// By key, each with the time at which it was made.
    reports: HashMap<String, (InstanceReport, Instant)>,
    /// Start and number of the connection on which the bucket was read. Silence of an instance
    /// counts only on that connection: a process that has lost the servers receives no reports.
    listening: Option<(Instant, u64)>,
    /// Time of the last answer of the servers.
    answered_at: Instant,
    /// Time of the first answer after the servers were silent: no instance could report before.
    answering_since: Instant,
}

impl LatestReports {
    pub(crate) fn new(now: Instant) -> Self {
        LatestReports { reports: HashMap::new(), listening: None, answered_at: now, answering_since: now }
    }

    /// Records an answer of the servers. One after a long silence gives every instance [`SILENCE_MAX`] again
    /// to report.
    pub(crate) fn answered(&mut self, now: Instant) {
        if now.saturating_duration_since(self.answered_at) >= SERVERS_SILENT_MIN {
            self.answering_since = now;
        }
        self.answered_at = now;
    }

    /// Returns the time since the last answer of the servers.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.answered_at)
    }

    /// Returns the time since the last answer, once it is longer than [`SERVERS_SILENT_MIN`].
    pub(crate) fn servers_silent_for(&self, now: Instant) -> Option<Duration> {
        Some(self.silence(now)).filter(|silence| *silence >= SERVERS_SILENT_MIN)
    }

    /// Records that the whole bucket was read on a connection: from now on the silence of an
    /// instance counts.
    pub(crate) fn listen(&mut self, now: Instant, connection: u64) {
        self.listening = Some((now, connection));
    }

    /// Stores a report; returns `false` when there is no room for another instance.
    pub(crate) fn put(&mut self, key: String, report: InstanceReport, made_at: Instant) -> bool {
        if self.reports.len() >= INSTANCES_MAX && !self.reports.contains_key(&key) {
            return false;
        }
        self.reports.insert(key, (report, made_at));
        true
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.reports.remove(key);
    }

    /// Removes the instances that were silent for [`SILENCE_MAX`], unless the servers were silent
    /// too.
    pub(crate) fn remove_silent(&mut self, now: Instant, connection: u64) {
        let Some((since, _)) = self.listening.filter(|(_, on)| *on == connection) else { return };
        if self.servers_silent_for(now).is_some() {
            return;
        }
        let since = since.max(self.answering_since);
        let is_alive = |made_at: Instant| now.saturating_duration_since(made_at.max(since)) < SILENCE_MAX;
        self.reports.retain(|_, (_, made_at)| is_alive(*made_at));
    }

    pub(crate) fn list(&self, now: Instant) -> Vec<Registered> {
        let registered = |(report, made_at): &(InstanceReport, Instant)| Registered {
            report: report.clone(),
            age: now.saturating_duration_since(*made_at),
        };
        self.reports.values().map(registered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Role;

    /// One instance that reported at 0 s, on connection 1, in a process that reads since 0 s.
    fn reports(start: Instant) -> LatestReports {
        let mut reports = LatestReports::new(start);
        reports.listen(start, 1);
        assert!(reports.put("gateway.g".into(), InstanceReport::new(Role::Gateway, "g"), start));
        reports
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_silent_instance_is_removed_while_the_servers_answer() {
        let start = barrage_clock::now();
        let mut reports = reports(start);
        for second in 1..=6 {
            reports.answered(start + secs(second));
        }
        reports.remove_silent(start + secs(6), 1);
        assert!(reports.list(start + secs(6)).is_empty());
    }

    #[test]
    fn a_silent_instance_stays_while_the_servers_are_silent() {
        let start = barrage_clock::now();
        let mut reports = reports(start);
        reports.remove_silent(start + secs(6), 1);
        assert_eq!(reports.list(start + secs(6)).len(), 1);
        assert_eq!(reports.servers_silent_for(start + secs(6)), Some(secs(6)));
    }

    #[test]
    fn instances_have_their_whole_time_again_after_the_servers_were_silent() {
        let start = barrage_clock::now();
        let mut reports = reports(start);
        reports.answered(start + secs(6));
        reports.remove_silent(start + secs(6), 1);
        assert_eq!(reports.servers_silent_for(start + secs(6)), None);
        assert_eq!(reports.list(start + secs(6)).len(), 1);
        for second in 7..=11 {
            reports.answered(start + secs(second));
        }
        reports.remove_silent(start + secs(11), 1);
        assert!(reports.list(start + secs(11)).is_empty());
    }

    #[test]
    fn an_instance_stays_until_the_bucket_was_read_on_the_new_connection() {
        let start = barrage_clock::now();
        let mut reports = reports(start);
        for second in 1..=6 {
            reports.answered(start + secs(second));
        }
        reports.remove_silent(start + secs(6), 2);
        assert_eq!(reports.list(start + secs(6)).len(), 1);
    }
}
