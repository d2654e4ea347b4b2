//! One upload in memory: who may continue it, how far it is, and whose turn it is to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::upload::{Received, Stage, UploadHead};

/// One upload of this process.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) head: UploadHead,
    received_bytes: AtomicU64,
    /// Length of the whole upload; 0 while the client has not stated it.
    stated_bytes: AtomicU64,
    stage: Mutex<Stage>,
    /// Whether its bytes of the day are counted still, and may be given back.
    is_counted: AtomicBool,
    /// Ends the newest turn when a newer one begins.
    newest: Mutex<CancellationToken>,
    /// Held by the one that reads or writes the files.
    files: Arc<tokio::sync::Mutex<()>>,
}

/// The right to read and write the files of an upload, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Cancelled when a newer request wants the upload: finish what has arrived, and drop the turn.
    pub(crate) overtaken: CancellationToken,
    _files: OwnedMutexGuard<()>,
}

impl Upload {
    pub(crate) fn new(head: UploadHead, received_bytes: u64, stage: Stage) -> Arc<Self> {
        Arc::new(Upload {
            stated_bytes: AtomicU64::new(if head.is_deferred { 0 } else { head.length }),
            head,
            received_bytes: AtomicU64::new(received_bytes),
            is_counted: AtomicBool::new(stage.is_open()),
            stage: Mutex::new(stage),
            newest: Mutex::new(CancellationToken::new()),
            files: Arc::default(),
        })
    }

    /// Returns what has arrived, synced or not.
    pub(crate) fn received(&self) -> Received {
        let bytes = self.received_bytes.load(Ordering::Acquire);
        Received { bytes, has_all: self.stage.lock().has_all_bytes() }
    }

    /// Returns the length of the whole upload; `None` while the client has not stated it.
    pub(crate) fn stated(&self) -> Option<u64> {
        Some(self.stated_bytes.load(Ordering::Acquire)).filter(|bytes| *bytes > 0)
    }

    /// Returns the bytes that the upload may have: its length, or what is reserved for it.
    pub(crate) fn length(&self) -> u64 {
        self.stated().unwrap_or(self.head.length)
    }

    /// Sets the length of an upload that was created without one.
    pub(crate) fn set_length(&self, length: u64) {
        self.stated_bytes.store(length, Ordering::Release);
    }

    pub(crate) fn set_received(&self, bytes: u64) {
        self.received_bytes.store(bytes, Ordering::Release);
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.lock().clone()
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        *self.stage.lock() = stage;
    }

    /// Returns whether its bytes of the day are to be given back. True once, and never for a medium.
    pub(crate) fn uncount(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Ready { .. }) && self.is_counted.swap(false, Ordering::AcqRel)
    }

    /// Returns whether bytes of the upload are on the disk of this process.
    pub(crate) fn has_data(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Ready { .. } | Stage::Refused { .. } | Stage::InReview { .. })
    }

    /// Ends the turn of the request before, waits until it has synced, and begins one. `None` when a newer request came
    /// meanwhile.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let overtaken = CancellationToken::new();
        std::mem::replace(&mut *self.newest.lock(), overtaken.clone()).cancel();
        let files = Arc::clone(&self.files).lock_owned().await;
        (!overtaken.is_cancelled()).then_some(Turn { overtaken, _files: files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::{Metadata, UploadId};

    fn upload() -> Arc<Upload> {
        let head = UploadHead {
            id: UploadId::new([0; 16]),
            user: "ann".parse().unwrap(),
            length: 10,
            is_deferred: false,
            metadata: Metadata::default(),
            is_part: false,
            parts: Vec::new(),
            created_ms: 0,
            address: None,
            expires_ms: 0,
        };
        Upload::new(head, 0, Stage::Receiving)
    }

    #[test]
    fn bytes_are_given_back_once_and_never_for_a_medium() {
        let digest = barrage_protocol::Digest::new([1; 32]);
        let refused = upload();
        assert!(refused.uncount() && !refused.uncount());
        let ready = upload();
        ready.set_stage(Stage::Ready { digest });
        assert!(!ready.uncount());
        let refusal = barrage_protocol::code::Refusal::new(barrage_protocol::Code::Forbidden, "no");
        assert!(!Upload::new(ready.head.clone(), 0, Stage::Refused { refusal }).uncount(), "after a restart");
        assert!(Upload::new(ready.head.clone(), 0, Stage::InReview { digest }).uncount());
    }

    #[tokio::test]
    async fn newest_request_gets_the_turn_and_those_between_get_none() {
        let upload = upload();
        let first = upload.turn().await.unwrap();
        let waits = |upload: &Arc<Upload>| {
            let upload = Arc::clone(upload);
            tokio::spawn(async move { upload.turn().await.is_some() })
        };
        let second = waits(&upload);
        tokio::task::yield_now().await;
        assert!(first.overtaken.is_cancelled());
        let third = waits(&upload);
        tokio::task::yield_now().await;
        drop(first);
        assert!(!second.await.unwrap(), "overtaken while it waited");
        assert!(third.await.unwrap());
    }
}
