//! Instances and how they are, in a bucket that forgets the silent.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::kv::{Entry, Store};
use async_nats::{Client, HeaderMap};

use super::bucket::{News, is_put};
use super::hearing::UNHEARD_MIN;
use super::link::acked;
use super::names::escape;
use crate::bus::BusError;
use crate::clock::unix_ms;
use crate::embedded::lock;
use crate::registry::{InstanceReport, Registered};

/// An instance that said nothing for this long is gone.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Instances at most; reports of further ones are not listed.
const INSTANCES_MAX: usize = 1_024;

/// What is known of the others.
#[derive(Debug)]
pub(crate) struct Known {
    /// By key, each with the moment that it was made.
    reports: HashMap<String, (InstanceReport, Instant)>,
    /// Since when silence means something, and on which connection: nobody is heard
    /// while this process has lost the servers, or has come back and not read yet.
    listening: Option<(Instant, u64)>,
    /// When the servers were last heard.
    heard: Instant,
    /// When they were heard for the first time after a silence: before that nobody could say
    /// that it is there.
    hearing_since: Instant,
}

impl Default for Known {
    fn default() -> Self {
        let now = Instant::now();
        Known { reports: HashMap::new(), listening: None, heard: now, hearing_since: now }
    }
}

pub(crate) type Reports = Arc<Mutex<Known>>;

/// The registry as it is here.
pub(crate) struct Instances {
    client: Client,
    prefix: String,
    timeout: Duration,
    reports: Reports,
    /// Told to the others with each report.
    admin_url: Option<String>,
}

impl Instances {
    pub(crate) fn new(client: Client, store: &Store, timeout: Duration, admin_url: Option<String>) -> Self {
        let prefix = store.prefix.clone();
        Instances { client, prefix, timeout, reports: Reports::default(), admin_url }
    }

    pub(crate) fn reports(&self) -> Reports {
        Arc::clone(&self.reports)
    }

    pub(crate) async fn report(&self, mut report: InstanceReport) -> Result<(), BusError> {
        report.admin_url.clone_from(&self.admin_url);
        let key = format!("{}.{}", report.role.label(), escape(&report.id));
        let payload = serde_json::to_vec(&report).expect("a report is plain data");
        let subject = format!("{}{key}", self.prefix);
        acked(&self.client, subject, HeaderMap::new(), payload.into(), self.timeout).await?;
        lock(&self.reports).heard();
        put(&self.reports, key, report, Duration::ZERO).ok_or(BusError::Full("instance"))
    }

    pub(crate) fn unheard_for(&self) -> Option<Duration> {
        lock(&self.reports).unheard_for()
    }

    pub(crate) fn list(&self) -> Vec<Registered> {
        let registered = |(report, at): &(InstanceReport, Instant)| Registered {
            report: report.clone(),
            age: at.elapsed(),
        };
        let mut known = lock(&self.reports);
        if self.client.connection_state() == State::Connected {
            known.forget_silent(connection(&self.client));
        }
        known.reports.values().map(registered).collect()
    }
}

impl Known {
    /// The servers said something.
    pub(crate) fn heard(&mut self) {
        self.heard_at(Instant::now());
    }

    fn heard_at(&mut self, now: Instant) {
        if now.saturating_duration_since(self.heard) >= UNHEARD_MIN {
            self.hearing_since = now;
        }
        self.heard = now;
    }

    /// How long ago the servers were last heard.
    pub(crate) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// The same, when it is longer than hurry explains.
    pub(crate) fn unheard_for(&self) -> Option<Duration> {
        Some(self.silence()).filter(|silence| *silence >= UNHEARD_MIN)
    }

    fn forget_silent(&mut self, connection: u64) {
        let Some((since, _)) = self.listening.filter(|(_, on)| *on == connection) else { return };
        if self.unheard_for().is_some() {
            return;
        }
        let since = since.max(self.hearing_since);
        self.reports.retain(|_, (_, at)| (*at).max(since).elapsed() < SILENCE_MAX);
    }
}

/// The number of the connection of now.
fn connection(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::SeqCst)
}

pub(crate) fn tell(reports: &Reports, client: &Client, news: News) {
    lock(reports).heard();
    match news {
        News::All(entries) => {
            // The first time, or after the connection was lost: those who are there
            // will say so; those who are not are forgotten by their silence from now.
            lock(reports).listening = Some((Instant::now(), connection(client)));
            for entry in entries {
                // What was there before this process looked may be old already.
                let made_ms = u64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
                let age = Duration::from_millis(unix_ms().saturating_sub(made_ms));
                if age < SILENCE_MAX {
                    hear(reports, entry, age);
                }
            }
        }
        News::One(entry) => hear(reports, entry, Duration::ZERO),
    }
}

fn hear(reports: &Reports, entry: Entry, age: Duration) {
    if !is_put(&entry) {
        lock(reports).reports.remove(&entry.key);
        return;
    }
    match serde_json::from_slice(&entry.value) {
        Ok(report) => {
            if put(reports, entry.key, report, age).is_none() {
                tracing::warn!(max = INSTANCES_MAX, "there are more instances than are listed");
            }
        }
        Err(error) => tracing::warn!(%error, "an instance's report cannot be read"),
    }
}

/// `None` when there is no room for another.
fn put(reports: &Reports, key: String, report: InstanceReport, age: Duration) -> Option<()> {
    // The clock of a machine that has just started cannot say how old it is: it is new.
    let now = Instant::now();
    let made = now.checked_sub(age).unwrap_or(now);
    let reports = &mut lock(reports).reports;
    if reports.len() >= INSTANCES_MAX && !reports.contains_key(&key) {
        return None;
    }
    reports.insert(key, (report, made));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Role;

    fn known(heard: Duration, reported: Duration) -> Known {
        let now = Instant::now();
        let ago = |age| now.checked_sub(age).unwrap();
        let report = (InstanceReport::new(Role::Gateway, "g"), ago(reported));
        let (heard, since) = (ago(heard), ago(Duration::from_secs(60)));
        let reports = HashMap::from([("gateway.g".to_owned(), report)]);
        Known { reports, listening: Some((since, 1)), heard, hearing_since: since }
    }

    #[test]
    fn silent_peer_is_forgotten_only_while_the_servers_are_heard() {
        let mut heard = known(Duration::from_millis(500), Duration::from_secs(6));
        heard.forget_silent(1);
        assert!(heard.reports.is_empty());
        let mut deaf = known(Duration::from_secs(6), Duration::from_secs(6));
        deaf.forget_silent(1);
        assert_eq!((deaf.reports.len(), deaf.unheard_for().is_some()), (1, true));
    }

    #[test]
    fn peers_have_their_time_again_after_the_servers_were_silent() {
        let mut known = known(Duration::from_secs(6), Duration::from_secs(6));
        known.heard();
        known.forget_silent(1);
        assert_eq!((known.reports.len(), known.unheard_for()), (1, None));
        known.hearing_since = Instant::now().checked_sub(SILENCE_MAX).unwrap();
        known.forget_silent(1);
        assert!(known.reports.is_empty());
    }
}
