//! State of the log, by the results of the last writes and reads.

use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::ErrorCode;

use crate::fault::{Fault, Report};

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    /// Why the last write failed, as operators see it; `None` after a write that succeeded.
    write: Option<String>,
    /// Why pages cannot be read. Stays until the process ends.
    damage: Option<String>,
    /// Why the file is not the one that was opened.
    missing: Option<String>,
}

/// Shared by the thread that writes and the threads that read. Logs a failure that lasts when it
/// begins, once a minute, and when it ends.
#[derive(Debug, Default)]
pub(crate) struct Condition(Mutex<State>);

impl Condition {
    /// Returns why messages cannot be accepted or read; `None` while they can.
    pub(crate) fn why_not(&self) -> Option<String> {
        let state = self.0.lock();
        let State { write, damage, missing, .. } = &*state;
        damage.clone().or_else(|| missing.clone()).or_else(|| write.clone())
    }

    /// Returns whether the last write failed: a probe must then be large to show that the disk has space.
    pub(crate) fn write_fails(&self) -> bool {
        self.0.lock().fault.lasts()
    }

    /// Clears the reason of a failed write, and logs the end of the failure with its length.
    pub(crate) fn written(&self) {
        let mut state = self.0.lock();
        state.write = None;
        if let Some(Report::Ended { failures, since }) = state.fault.succeeded(now()) {
            tracing::warn!(failures, secs = since.as_secs(), "the message log can be written again");
        }
    }

    /// Refuses messages from now on with this reason, until a write succeeds.
    pub(crate) fn write_failed(&self, error: &rusqlite::Error) {
        let mut state = self.0.lock();
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

    /// Marks the log as damaged if SQLite reports a corrupt or foreign file; another failed read changes
    /// nothing.
    pub(crate) fn read_failed(&self, error: &rusqlite::Error) {
        note_damage(&mut self.0.lock(), error);
    }

    /// Records why the file is not the one that was opened; `None` when it is.
    pub(crate) fn set_missing(&self, missing: Option<String>) {
        let mut state = self.0.lock();
        if state.missing != missing {
            if let Some(reason) = &missing {
                tracing::error!(reason, "the message log's file is missing");
            }
            state.missing = missing;
        }
    }
}

fn now() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
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
