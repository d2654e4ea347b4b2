//! Whether this process hears the servers: a server that hangs says nothing, and keeps its
//! connections open for half a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::kv::Store;

use super::registry::Reports;
use crate::clock::steady_ms;
use crate::embedded::lock;
use crate::fault::{Fault, Report};

/// Reports come every second: a silence that is longer than this has another cause than hurry,
/// and is well below the one after which an instance counts as gone.
pub(crate) const UNHEARD_MIN: Duration = Duration::from_secs(2);
/// How often it is looked at, and a server asked that has said nothing since.
const EVERY: Duration = Duration::from_millis(500);
/// Longest wait for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Asks the servers when nothing else has come from them, and logs when they begin
/// and end to be silent. Runs until its task is ended.
pub(crate) async fn run(store: Store, reports: Reports, servers: String) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut fault = Fault::default();
    loop {
        ticks.tick().await;
        if lock(&reports).silence() >= EVERY {
            // Its leader answers: what the others report would arrive here. `Store::status` would not
            // do: it does not ask.
            let asked = tokio::time::timeout(ANSWER_MAX, store.stream.get_info()).await;
            if asked.is_ok_and(|answer| answer.is_ok()) {
                lock(&reports).heard();
            }
        }
        let now = Duration::from_millis(steady_ms());
        let silence = lock(&reports).unheard_for();
        let report = match silence {
            Some(_) => fault.failed(now),
            None => fault.succeeded(now),
        };
        match report {
            Some(Report::Began) => tracing::warn!(
                "NATS ({servers}) does not answer: messages are refused, viewers stay, and no instance is taken \
                 for dead"
            ),
            Some(Report::Lasts { since, .. }) => {
                tracing::warn!(secs = since.as_secs(), "NATS ({servers}) still does not answer");
            }
            Some(Report::Ended { since, .. }) => {
                tracing::warn!(secs = since.as_secs(), "NATS ({servers}) answers again");
            }
            None => {}
        }
    }
}

/// Logs publishes that fail: the first one, then one line a minute, and the end.
#[derive(Debug, Default)]
pub(crate) struct Publishing(Mutex<Fault>);

impl Publishing {
    pub(crate) fn failed(&self, reason: &str) {
        let now = Duration::from_millis(steady_ms());
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner).failed(now);
        match report {
            Some(Report::Began) => {
                tracing::error!(reason, "messages could not be published in time, and are refused");
            }
            Some(Report::Lasts { failures, since }) => {
                tracing::error!(
                    reason,
                    failures,
                    secs = since.as_secs(),
                    "messages still cannot be published"
                );
            }
            Some(Report::Ended { .. }) | None => {}
        }
    }

    pub(crate) fn succeeded(&self) {
        let now = Duration::from_millis(steady_ms());
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner).succeeded(now);
        if let Some(Report::Ended { failures, since }) = report {
            tracing::info!(failures, secs = since.as_secs(), "messages are published again");
        }
    }
}
