//! The media that this process asks the hook about.

use std::collections::HashSet;
use std::sync::Arc;

use barrage_guarded::Guarded;
use barrage_moderation::{MediaFacts, MediaHook, MediaJudgement, MediaQuestion};
use barrage_protocol::{Digest, UserId};
use barrage_token::SignedPath;
use parking_lot::Mutex;

use crate::media::Media;
use crate::record::MediaRecord;

/// Life of the address in a question, in seconds.
const ADDRESS_SECS: u64 = 300;

/// The hook, and the media that it is asked about now: at most one for each upload of this process.
#[derive(Debug)]
pub(crate) struct Asking {
    hook: MediaHook,
    open: Mutex<HashSet<Digest>>,
}

/// The right to ask about a medium, until it is dropped.
pub(super) struct Turn {
    media: Arc<Media>,
    digest: Digest,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(asking) = &self.media.asking {
            asking.open.lock().remove(&self.digest);
        }
    }
}

impl Asking {
    pub(crate) fn new(hook: MediaHook) -> Self {
        Asking { hook, open: Mutex::default() }
    }

    pub(crate) fn breaker(&self) -> &Guarded {
        self.hook.breaker()
    }

    /// Takes the turn of a medium; `None` without a hook, and while another task of this process has the turn.
    pub(super) fn turn(media: &Arc<Media>, digest: Digest) -> Option<Turn> {
        let is_first = media.asking.as_ref()?.open.lock().insert(digest);
        is_first.then(|| Turn { media: Arc::clone(media), digest })
    }

    /// Asks the hook once, with an address of the largest form. In shadow mode the judgement is counted, and `Allow` is
    /// returned.
    pub(super) async fn judge(&self, media: &Media, record: &MediaRecord, user: &UserId) -> MediaJudgement {
        let Some(form) = record.variants.last() else {
            return MediaJudgement::Review { reason: Some("the medium has no form to look at".into()) };
        };
        let path = SignedPath { digest: record.digest, variant: &form.name };
        let ends_secs = barrage_clock::unix_ms() / 1_000 + ADDRESS_SECS;
        let url = media.url(&media.addresses.sign_until(path, ends_secs));
        let facts = MediaFacts {
            digest: record.digest,
            kind: record.kind,
            media_type: &form.media_type,
            size: form.length,
            url: &url,
        };
        let judgement = self.hook.judge(&MediaQuestion { user, media: facts }).await;
        media.metrics.judged(&judgement);
        if self.hook.is_shadow() { MediaJudgement::Allow } else { judgement }
    }
}
