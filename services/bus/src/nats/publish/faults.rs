//! Logs publishes that fail: the first one, one line a minute, and the end.

use std::time::Duration;

use parking_lot::Mutex;

use crate::fault::{Fault, Report};

/// State of publishing, shared by all publishes.
#[derive(Debug, Default)]
pub(crate) struct PublishFaults(Mutex<Fault>);

impl PublishFaults {
    /// Records a publish that ran into its deadline.
    pub(crate) fn failed(&self, reason: &str) {
        match self.0.lock().failed(now()) {
            Some(Report::Began) => {
                tracing::error!(reason, "messages could not be published in time and are refused");
            }
            Some(Report::Lasts { failures, since }) => {
                let secs = since.as_secs();
                tracing::error!(reason, failures, secs, "messages still cannot be published");
            }
            Some(Report::Ended { .. }) | None => {}
        }
    }

    /// Records a publish that succeeded; logs the end of a failure.
    pub(crate) fn succeeded(&self) {
        if let Some(Report::Ended { failures, since }) = self.0.lock().succeeded(now()) {
            tracing::info!(failures, secs = since.as_secs(), "messages are published again");
        }
    }
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}
