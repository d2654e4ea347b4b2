//! The registry of instances, in a bucket that forgets silent ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::{Entry, Store};
use async_nats::{Client, HeaderMap};
use parking_lot::Mutex;

use super::bucket::{News, SILENCE_MAX, is_put};
use super::reports::{INSTANCES_MAX, LatestReports};
use crate::error::BusError;
use crate::nats::connection::link::acked;
use crate::nats::stream::names::escape;
use crate::registry::{InstanceReport, Registered};

pub(crate) type SharedReports = Arc<Mutex<LatestReports>>;

/// The registry as this process reads and writes it.
pub(crate) struct Instances {
    client: Client,
    prefix: String,
    timeout: Duration,
    reports: SharedReports,
    /// Added to each report of this process.
    admin_url: Option<String>,
}

impl Instances {
    pub(crate) fn new(client: Client, store: &Store, timeout: Duration, admin_url: Option<String>) -> Self {
        let reports = Arc::new(Mutex::new(LatestReports::new(barrage_clock::now())));
        Instances { client, prefix: store.prefix.clone(), timeout, reports, admin_url }
    }

    pub(crate) fn reports(&self) -> SharedReports {
        Arc::clone(&self.reports)
    }

    /// Stores a report of this process on the servers.
    pub(crate) async fn report(&self, mut report: InstanceReport) -> Result<(), BusError> {
        report.admin_url.clone_from(&self.admin_url);
        let key = format!("{}.{}", report.role.label(), escape(&report.id));
        let payload = serde_json::to_vec(&report).expect("a report is plain data");
        let subject = format!("{}{key}", self.prefix);
        acked(&self.client, subject, HeaderMap::new(), payload.into(), self.timeout).await?;
        let now = barrage_clock::now();
        let mut reports = self.reports.lock();
        reports.answered(now);
        if reports.put(key, report, now) { Ok(()) } else { Err(BusError::Full("instance")) }
    }

    pub(crate) fn servers_silent_for(&self) -> Option<Duration> {
        self.reports.lock().servers_silent_for(barrage_clock::now())
    }

    pub(crate) fn list(&self) -> Vec<Registered> {
        let now = barrage_clock::now();
        let mut reports = self.reports.lock();
        if self.client.connection_state() == State::Connected {
            reports.remove_silent(now, connection(&self.client));
        }
        reports.list(now)
    }
}

/// Returns the number of the current connection.
fn connection(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::SeqCst)
}

/// Takes news of the bucket into the reports.
pub(crate) fn receive(reports: &SharedReports, client: &Client, news: News) {
    let now = barrage_clock::now();
    let mut reports = reports.lock();
    reports.answered(now);
    match news {
        News::All(entries) => {
            // At the start, or after the connection was lost: instances that live will report, and
            // the others are removed by their silence from now on.
            reports.listen(now, connection(client));
            for entry in entries {
                // The bucket may hold reports that were old before this process read it.
                let made_ms = u64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
                let age = Duration::from_millis(barrage_clock::unix_ms().saturating_sub(made_ms));
                if age < SILENCE_MAX {
                    take(&mut reports, entry, age);
                }
            }
        }
        News::One(entry) => take(&mut reports, entry, Duration::ZERO),
    }
}

fn take(reports: &mut LatestReports, entry: Entry, age: Duration) {
    if !is_put(&entry) {
        reports.remove(&entry.key);
        return;
    }
    match serde_json::from_slice(&entry.value) {
        Ok(report) => {
            // The steady clock of a machine that has just started cannot reach back that far.
            let now = barrage_clock::now();
            let made_at = now.checked_sub(age).unwrap_or(now);
            if !reports.put(entry.key, report, made_at) {
                tracing::warn!(max = INSTANCES_MAX, "there are more instances than the registry lists");
            }
        }
        Err(error) => tracing::warn!(%error, "an instance's report cannot be parsed"),
    }
}
