//! Readiness of this process: a check each second, whose result `/readyz` returns.
//!
//! A server that all processes share (NATS, Redis, PostgreSQL) counts until its first success. A
//! process survives the loss of such a server, and a load balancer that drops all processes at once
//! would end the work that still goes on. A disk belongs to the process: another process may have a
//! better one.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, Fault, Report};
use barrage_store::Store;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Time from the start of a check to the start of the next one.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for a disk or the store; a slower one counts as failed.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Largest age of a result. An older one means that the checks themselves hang.
const RESULT_AGE_MAX: Duration = Duration::from_secs(10);
/// Bytes of the probe file. More than any message takes, so that a full disk is detected.
const PROBE_BYTES: usize = 64 * 1024;
/// File that each check writes in the folders of the process.
const PROBE_FILE: &str = "probe.tmp";

/// Dependencies that each readiness check examines: bus, store and folders.
pub(crate) struct Checks {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Option<Arc<dyn Store>>,
    /// Whether other processes use the same store.
    pub(crate) store_is_shared: bool,
    /// Folders that the message log and the store write to.
    pub(crate) folders: Vec<PathBuf>,
}

#[derive(Debug)]
struct CheckResult {
    at: Instant,
    /// Reason of a failure; `None` after a success.
    reason: Option<String>,
}

/// Result of the newest check, shared between the checks and `/readyz`.
#[derive(Debug, Clone)]
pub(crate) struct Readiness(Arc<Mutex<CheckResult>>);

impl Readiness {
    /// Creates a readiness that is false until the first check has succeeded.
    pub(crate) fn new() -> Self {
        let starting =
            CheckResult { at: barrage_clock::now(), reason: Some("this process is starting".into()) };
        Readiness(Arc::new(Mutex::new(starting)))
    }

    /// Returns the reason why this process is not ready; `None` when it is ready.
    pub(crate) fn why_not(&self) -> Option<String> {
        let newest = self.0.lock();
        if newest.at.elapsed() > RESULT_AGE_MAX {
            return Some(format!(
                "the last check is {} s old: the disk may hang",
                newest.at.elapsed().as_secs()
            ));
        }
        newest.reason.clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock() = CheckResult { at: barrage_clock::now(), reason };
    }

    /// Checks once a second until `shutdown`. Logs each change, and a lasting failure once a minute.
    pub(crate) async fn run(self, checks: Checks, shutdown: CancellationToken) {
        let (started, mut fault, mut store_has_answered) = (barrage_clock::now(), Fault::default(), false);
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let reason = checks.first_failure(&mut store_has_answered).await.err();
            match &reason {
                None => {
                    if let Some(Report::Ended { since, .. }) = fault.succeeded(started.elapsed()) {
                        tracing::warn!(secs = since.as_secs(), "this process is ready again");
                    }
                }
                Some(reason) => match fault.failed(started.elapsed()) {
                    Some(Report::Began) => tracing::error!(reason, "this process is not ready"),
                    Some(Report::Lasts { since, .. }) => {
                        tracing::error!(reason, secs = since.as_secs(), "this process is still not ready");
                    }
                    Some(Report::Ended { .. }) | None => {}
                },
            }
            self.set(reason);
        }
    }
}

impl Checks {
    /// Runs all checks in order of cost. Returns the reason of the first failure.
    async fn first_failure(&self, store_has_answered: &mut bool) -> Result<(), String> {
        self.bus.condition()?;
        for folder in &self.folders {
            let path = folder.clone();
            let wrote = tokio::task::spawn_blocking(move || write_probe(&path));
            let unwritable =
                |reason: &dyn std::fmt::Display| format!("{} cannot be written: {reason}", folder.display());
            match tokio::time::timeout(ANSWER_MAX, wrote).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => return Err(unwritable(&error)),
                Ok(Err(error)) => return Err(unwritable(&error)),
                Err(_) => return Err(unwritable(&"the disk does not answer")),
            }
        }
        let Some(store) = self.store.as_ref().filter(|_| !(self.store_is_shared && *store_has_answered))
        else {
            return Ok(());
        };
        match tokio::time::timeout(ANSWER_MAX, store.ping()).await {
            Ok(Ok(())) => *store_has_answered = true,
            Ok(Err(error)) => return Err(with_cause(&error)),
            Err(_) => return Err("the store does not answer".into()),
        }
        Ok(())
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Writes some bytes to a file of the folder and truncates it. The bytes are not synced and do not
/// reach the disk, but the file system must find room for them.
fn write_probe(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(PROBE_FILE);
    let mut file =
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&[0x5a; PROBE_BYTES])?;
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_leaves_an_empty_file_and_fails_without_a_folder() {
        let folder = std::env::temp_dir().join(format!("barrage-readiness-{}", std::process::id()));
        assert!(write_probe(&folder).is_err());
        std::fs::create_dir(&folder).unwrap();
        write_probe(&folder).unwrap();
        assert_eq!(std::fs::metadata(folder.join(PROBE_FILE)).unwrap().len(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn process_is_not_ready_before_the_first_check() {
        let readiness = Readiness::new();
        assert!(readiness.why_not().is_some_and(|reason| reason.contains("starting")));
        readiness.set(None);
        assert_eq!(readiness.why_not(), None);
    }
}
