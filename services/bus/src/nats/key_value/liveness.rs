//! Detects servers that do not answer. A server that hangs sends nothing and keeps its connections
//! open for half a minute.

use std::time::Duration;

use async_nats::jetstream::kv::Store;

use super::registry::SharedReports;
use crate::fault::{Fault, Report};

/// Time between two checks, and silence after which the servers are asked.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Longest wait for the answer of the servers; without one in time their silence continues.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);

/// Asks the servers whenever nothing has arrived from them, and logs when their silence begins,
/// lasts and ends. Runs until its task is aborted.
pub(crate) async fn watch(store: Store, reports: SharedReports, servers: String) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut fault = Fault::default();
    loop {
        ticks.tick().await;
        if reports.lock().silence(barrage_clock::now()) >= CHECK_EVERY {
            // The leader of the bucket answers this: reports of other instances would arrive too.
            // `Store::status` returns a stored answer without asking.
            let asked = tokio::time::timeout(ANSWER_WAIT_MAX, store.stream.get_info()).await;
            if asked.is_ok_and(|answer| answer.is_ok()) {
                reports.lock().answered(barrage_clock::now());
            }
        }
        let now = Duration::from_millis(barrage_clock::steady_ms());
        let silence = reports.lock().servers_silent_for(barrage_clock::now());
        let report = match silence {
            Some(_) => fault.failed(now),
            None => fault.succeeded(now),
        };
        log(report, &servers);
    }
}

fn log(report: Option<Report>, servers: &str) {
    match report {
        Some(Report::Began) => tracing::warn!(
            servers,
            "NATS does not answer: messages are refused, viewers stay connected, and no instance is removed from \
             the registry"
        ),
        Some(Report::Lasts { since, .. }) => {
            tracing::warn!(servers, secs = since.as_secs(), "NATS still does not answer");
        }
        Some(Report::Ended { since, .. }) => {
            tracing::warn!(servers, secs = since.as_secs(), "NATS answers again");
        }
        None => {}
    }
}
