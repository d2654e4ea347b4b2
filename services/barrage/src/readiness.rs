//! Whether this process can do its work: a check every second, whose answer `/readyz` gives.
//!
//! What all processes share (NATS, Redis, PostgreSQL) counts until it was there once. A process
//! survives its loss, and to take all of them out of the load balancer at the same time would
//! end what still works. A disk is the process's own: another process may have a better one.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use barrage_bus::{Bus, Fault, Report};
use barrage_store::Store;
use tokio_util::sync::CancellationToken;

/// Between two checks.
const EVERY: Duration = Duration::from_secs(1);
/// A disk or database that takes longer counts as failed.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// An answer older than this is not believed: the checks themselves hang.
const STALE: Duration = Duration::from_secs(10);
/// Bytes written to a folder, so that a full disk shows: more than any message takes.
const PROBE_BYTES: usize = 64 * 1024;
const PROBE_FILE: &str = "probe.tmp";

/// What is checked.
pub(crate) struct Checks {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Option<Arc<dyn Store>>,
    /// Whether other processes use the same store.
    pub(crate) store_is_shared: bool,
    /// Folders that the message log and the store write to.
    pub(crate) folders: Vec<PathBuf>,
}

#[derive(Debug)]
struct Answer {
    at: Instant,
    /// Why not; `None` when it can.
    reason: Option<String>,
}

/// The newest answer.
#[derive(Debug, Clone)]
pub(crate) struct Readiness(Arc<Mutex<Answer>>);

impl Readiness {
    /// Not ready until the first check has ended.
    pub(crate) fn new() -> Self {
        let starting = Answer { at: Instant::now(), reason: Some("this process is starting".into()) };
        Readiness(Arc::new(Mutex::new(starting)))
    }

    /// Why this process cannot do its work; `None` when it can.
    pub(crate) fn why_not(&self) -> Option<String> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.at.elapsed() > STALE {
            return Some(format!(
                "the last check is {} s old: the disk may hang",
                answer.at.elapsed().as_secs()
            ));
        }
        answer.reason.clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Answer { at: Instant::now(), reason };
    }

    /// Checks until `shutdown`. Each change is logged, and a lasting failure once a minute.
    pub(crate) async fn run(self, checks: Checks, shutdown: CancellationToken) {
        let (started, mut fault, mut store_was_there) = (Instant::now(), Fault::default(), false);
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let reason = checks.why_not(&mut store_was_there).await.err();
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
    async fn why_not(&self, store_was_there: &mut bool) -> Result<(), String> {
        self.bus.condition()?;
        for folder in &self.folders {
            let path = folder.clone();
            let wrote = tokio::task::spawn_blocking(move || write_probe(&path));
            let refused =
                |reason: &dyn std::fmt::Display| format!("{} cannot be written: {reason}", folder.display());
            match tokio::time::timeout(ANSWER_MAX, wrote).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => return Err(refused(&error)),
                Ok(Err(error)) => return Err(refused(&error)),
                Err(_) => return Err(refused(&"the disk does not answer")),
            }
        }
        let Some(store) = self.store.as_ref().filter(|_| !(self.store_is_shared && *store_was_there)) else {
            return Ok(());
        };
        match tokio::time::timeout(ANSWER_MAX, store.ping()).await {
            Ok(Ok(())) => *store_was_there = true,
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

/// Writes and takes back some bytes. They are not synced and never reach the disk, but the file
/// system must find a place for them.
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
    fn probe_leaves_an_empty_file_and_fails_without_its_folder() {
        let folder = std::env::temp_dir().join(format!("barrage-readiness-{}", std::process::id()));
        assert!(write_probe(&folder).is_err());
        std::fs::create_dir(&folder).unwrap();
        write_probe(&folder).unwrap();
        assert_eq!(std::fs::metadata(folder.join(PROBE_FILE)).unwrap().len(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn readiness_is_not_given_before_the_first_check() {
        let readiness = Readiness::new();
        assert!(readiness.why_not().is_some_and(|reason| reason.contains("starting")));
        readiness.set(None);
        assert_eq!(readiness.why_not(), None);
    }
}
