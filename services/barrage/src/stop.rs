//! When a process ends, and in which order its parts do.

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
/// started this one holds it.
pub(crate) async fn asked(with_stdin: bool) {
    tokio::select! {
        () = signal() => {}
        () = end_of_stdin(), if with_stdin => {}
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

async fn signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C works");
            drop(tokio::signal::ctrl_c().await);
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
