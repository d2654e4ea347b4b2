//! Gateways and how they are, in a bucket that forgets the silent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv::{Entry, Store};
use async_nats::{Client, HeaderMap};

use super::bucket::{News, is_put};
use super::link::acked;
use super::names::escape;
use crate::bus::BusError;
use crate::embedded::{lock, unix_ms};
use crate::registry::{GatewayReport, Registered};

/// A gateway that said nothing for this long is gone.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Gateways at most; reports of further ones are not listed.
const GATEWAYS_MAX: usize = 1_024;

/// Reports by key, each with the moment that it was made.
pub(crate) type Reports = Arc<Mutex<HashMap<String, (GatewayReport, Instant)>>>;

/// The registry as it is here.
pub(crate) struct Gateways {
    client: Client,
    prefix: String,
    timeout: Duration,
    reports: Reports,
}

impl Gateways {
    pub(crate) fn new(client: Client, store: &Store, timeout: Duration) -> Self {
        Gateways { client, prefix: store.prefix.clone(), timeout, reports: Reports::default() }
    }

    pub(crate) fn reports(&self) -> Reports {
        Arc::clone(&self.reports)
    }

    pub(crate) async fn report(&self, report: GatewayReport) -> Result<(), BusError> {
        let key = escape(&report.id);
        let payload = serde_json::to_vec(&report).expect("a report is plain data");
        let subject = format!("{}{key}", self.prefix);
        acked(&self.client, subject, HeaderMap::new(), payload.into(), self.timeout).await?;
        put(&self.reports, key, report, Duration::ZERO).ok_or(BusError::Full("gateway"))
    }

    pub(crate) fn list(&self) -> Vec<Registered> {
        let registered = |(report, at): &(GatewayReport, Instant)| Registered {
            report: report.clone(),
            age: at.elapsed(),
        };
        let mut reports = lock(&self.reports);
        reports.retain(|_, (_, at)| at.elapsed() < SILENCE_MAX);
        reports.values().map(registered).collect()
    }
}

pub(crate) fn tell(reports: &Reports, news: News) {
    match news {
        News::All(entries) => {
            lock(reports).clear();
            for entry in entries {
                // What was there before this process looked may be old already.
                let made_ms = u64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
                let age = Duration::from_millis(unix_ms().saturating_sub(made_ms));
                hear(reports, entry, age);
            }
        }
        News::One(entry) => hear(reports, entry, Duration::ZERO),
    }
}

fn hear(reports: &Reports, entry: Entry, age: Duration) {
    if !is_put(&entry) || age >= SILENCE_MAX {
        lock(reports).remove(&entry.key);
        return;
    }
    match serde_json::from_slice(&entry.value) {
        Ok(report) => {
            if put(reports, entry.key, report, age).is_none() {
                tracing::warn!(max = GATEWAYS_MAX, "there are more gateways than are listed");
            }
        }
        Err(error) => tracing::warn!(%error, "a gateway's report cannot be read"),
    }
}

/// `None` when there is no room for another.
fn put(reports: &Reports, key: String, report: GatewayReport, age: Duration) -> Option<()> {
    // The clock of a machine that has just started cannot say how old it is: it is new.
    let now = Instant::now();
    let made = now.checked_sub(age).unwrap_or(now);
    let mut reports = lock(reports);
    if reports.len() >= GATEWAYS_MAX && !reports.contains_key(&key) {
        return None;
    }
    reports.insert(key, (report, made));
    Some(())
}
