//! When a process ends, and in which order its parts do.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::roster::Stage;

/// In the order in which parts stop: those in front, the archiver, admin.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    pub(crate) front: CancellationToken,
    pub(crate) archiver: CancellationToken,
    pub(crate) admin: CancellationToken,
    background: CancellationToken,
}

impl Stop {
    /// The token that stops a stage.
    pub(crate) fn token(&self, stage: Stage) -> &CancellationToken {
        match stage {
            Stage::Front => &self.front,
            Stage::Archiver => &self.archiver,
            Stage::Admin => &self.admin,
            Stage::Background => &self.background,
        }
    }
}

/// Waits for SIGTERM or Ctrl-C, or for the end of standard input where the process that
/// started this one holds it. Signals count from the call on, not from the first poll: a
/// process calls it before it says that it is up.
pub(crate) fn asked(with_stdin: bool) -> impl Future<Output = ()> {
    let (terminate, interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        tokio::select! {
            () = arrives(terminate) => {}
            () = arrives(interrupt) => {}
            () = end_of_stdin(), if with_stdin => {}
        }
    }
}

/// A blocking read on a thread of its own: one that waits for ever must not hold up
/// the runtime's end.
async fn end_of_stdin() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        tell.send(()).ok();
    });
    drop(told.await);
}

fn listen(kind: SignalKind) -> Option<Signal> {
    match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            tracing::warn!(%error, ?kind, "a signal cannot be heard");
            None
        }
    }
}

/// Never, where it cannot be heard.
async fn arrives(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}
