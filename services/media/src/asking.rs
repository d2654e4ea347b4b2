//! The media that this process asks the hook about.

use std::collections::HashSet;
use std::sync::Arc;

use barrage_guarded::Guarded;
use barrage_moderation::{MediaHook, MediaJudgement, MediaQuestion};
use barrage_protocol::Digest;
use parking_lot::Mutex;

use crate::metrics::MediaMetrics;

/// The hook, and the media that it is asked about now: at most one for each upload of this process.
#[derive(Debug)]
pub(crate) struct Asking {
    hook: MediaHook,
    open: Arc<Mutex<HashSet<Digest>>>,
}

/// The right to ask about a medium, until it is dropped.
pub(crate) struct Turn {
    open: Arc<Mutex<HashSet<Digest>>>,
    digest: Digest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.open.lock().remove(&self.digest);
    }
}

impl Asking {
    pub(crate) fn new(hook: MediaHook) -> Self {
        Asking { hook, open: Arc::default() }
    }

    pub(crate) fn breaker(&self) -> &Guarded {
        self.hook.breaker()
    }

    /// Takes the turn of a medium; `None` while another task of this process has it.
    pub(crate) fn turn(&self, digest: Digest) -> Option<Turn> {
        let is_first = self.open.lock().insert(digest);
        is_first.then(|| Turn { open: Arc::clone(&self.open), digest })
    }

    /// Asks the hook once, and counts the judgement. In shadow mode `Allow` is returned for it.
    pub(crate) async fn judge(&self, question: &MediaQuestion<'_>, metrics: &MediaMetrics) -> MediaJudgement {
        let judgement = self.hook.judge(question).await;
        metrics.judged(&judgement);
        if self.hook.is_shadow() { MediaJudgement::Allow } else { judgement }
    }
}
