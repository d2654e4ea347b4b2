//! Requests to end the process, and the stop tokens of the stages.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::roster::Stage;

/// Stop tokens, one for each stage of a shutdown.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    pub(crate) front: CancellationToken,
    pub(crate) archiver: CancellationToken,
    pub(crate) admin: CancellationToken,
    background: CancellationToken,
}

impl Stop {
    /// Returns the token that stops a stage.
    pub(crate) fn token(&self, stage: Stage) -> &CancellationToken {
        match stage {
            Stage::Front => &self.front,
            Stage::Archiver => &self.archiver,
            Stage::Admin => &self.admin,
            Stage::Background => &self.background,
        }
    }
}

/// Waits for SIGTERM or SIGINT, and with `with_stdin` also for the end of standard input, whose
/// other side the parent process holds.
///
/// A signal counts from this call on, not from the first poll: callers make the future before they
/// announce that the process is up.
pub(crate) fn requested(with_stdin: bool) -> impl Future<Output = ()> {
    let (terminate, interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        tokio::select! {
            () = arrives(terminate) => {}
            () = arrives(interrupt) => {}
            () = end_of_stdin(), if with_stdin => {}
        }
    }
}

/// Reads standard input to its end, on a thread of its own: the runtime waits for its blocking
/// threads at the end, and this read may never return.
async fn end_of_stdin() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        ended.send(()).ok();
    });
    drop(end.await);
}

fn listen(kind: SignalKind) -> Option<Signal> {
    match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            tracing::warn!(%error, ?kind, "no handler for a signal could be installed; the signal is ignored");
            None
        }
    }
}

/// Waits for a signal; never returns when its handler could not be installed.
async fn arrives(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}
