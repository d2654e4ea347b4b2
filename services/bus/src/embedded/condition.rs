//! Whether the log takes and gives messages, as the last attempts showed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::clock::steady_ms;
use crate::fault::{Fault, Report};

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    /// Why the last write failed.
    write: Option<String>,
    /// Pages that cannot be read: stays until the process ends.
    damage: Option<String>,
    /// The file is not the one that was opened.
    missing: Option<String>,
}

/// Shared by the thread that writes and those that read. A failure that lasts is logged when it
/// begins, once a minute, and when it ends.
#[derive(Debug, Default)]
pub(crate) struct Condition(Mutex<State>);

impl Condition {
    /// Why messages cannot be accepted or read; `None` while they can.
    pub(crate) fn why_not(&self) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { write, damage, missing, .. } = &*state;
        damage.clone().or_else(|| missing.clone()).or_else(|| write.clone())
    }

    /// Whether the last write failed.
    pub(crate) fn write_fails(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fault.lasts()
    }

    /// A write reached the log.
    pub(crate) fn written(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.write = None;
        if let Some(Report::Ended { failures, since }) = state.fault.succeeded(now()) {
            tracing::warn!(failures, secs = since.as_secs(), "the message log can be written again");
        }
    }

    /// A write failed.
    pub(crate) fn write_failed(&self, error: &rusqlite::Error) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.write = Some(format!("the message log cannot be written: {error}"));
        note_damage(&mut state, error);
        match state.fault.failed(now()) {
            Some(Report::Began) => tracing::error!(
                %error,
                "the message log cannot be written: messages are refused until it can"
            ),
            Some(Report::Lasts { failures, since }) => {
                tracing::error!(%error, failures, secs = since.as_secs(), "the message log still cannot be written");
            }
            Some(Report::Ended { .. }) | None => {}
        }
    }

    /// A read failed.
    pub(crate) fn read_failed(&self, error: &rusqlite::Error) {
        note_damage(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), error);
    }

    /// Whether the file is still the one that was opened.
    pub(crate) fn found(&self, missing: Option<String>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.missing != missing {
            if let Some(reason) = &missing {
                tracing::error!(reason, "the message log's file is missing");
            }
            state.missing = missing;
        }
    }
}

fn now() -> Duration {
    Duration::from_millis(steady_ms())
}

fn note_damage(state: &mut State, error: &rusqlite::Error) {
    let is_damage =
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    if is_damage && state.damage.is_none() {
        tracing::error!(%error, "the message log is damaged");
        state.damage = Some(format!(
            "the message log is damaged ({error}): stop the process and restore bus.sqlite, or move it away"
        ));
    }
}
