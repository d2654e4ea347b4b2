//! A database that a test switches off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use barrage_inbox::{Changes, ConversationId, ConversationNumber, Entry, UserNumber};
use barrage_protocol::{Sequence, UserId};
use barrage_store::{Away, AwayRange, InboxError, InboxStore, ItemRange, Oldest, Recount, StoredItem};

/// A store whose calls fail while it is away, or whose answers are lost now and then.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn InboxStore>,
    is_away: AtomicBool,
    calls: AtomicU64,
    /// Every so many batches, the answer to a commit is lost; 0 for never.
    lost_every: u64,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn InboxStore>, lost_every: u64) -> Arc<Self> {
        Arc::new(Faulty { inner, is_away: AtomicBool::new(false), calls: AtomicU64::new(0), lost_every })
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), InboxError> {
        if self.is_away.load(Ordering::SeqCst) { Err(failed()) } else { Ok(()) }
    }
}

fn failed() -> InboxError {
    InboxError::Query("the database is away".into())
}

#[async_trait]
impl InboxStore for Faulty {
    async fn mark(&self, lane: u16) -> Result<Sequence, InboxError> {
        self.check()?;
        self.inner.mark(lane).await
    }

    async fn project(
        &self,
        lane: u16,
        after: Sequence,
        up_to: Sequence,
        entries: &[Entry],
    ) -> Result<Changes, InboxError> {
        self.check()?;
        let changes = self.inner.project(lane, after, up_to, entries).await?;
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.lost_every > 0 && call.is_multiple_of(self.lost_every) { Err(failed()) } else { Ok(changes) }
    }

    async fn away(&self, user: &UserId, range: AwayRange, limit: usize) -> Result<Option<Away>, InboxError> {
        self.inner.away(user, range, limit).await
    }

    async fn items(
        &self,
        conversation: &ConversationId,
        range: ItemRange,
        limit: usize,
    ) -> Result<Vec<StoredItem>, InboxError> {
        self.inner.items(conversation, range, limit).await
    }

    async fn present(&self, group: ConversationNumber) -> Result<Vec<UserId>, InboxError> {
        self.inner.present(group).await
    }

    async fn recount(&self, from: UserNumber) -> Result<Option<Recount>, InboxError> {
        self.inner.recount(from).await
    }

    async fn oldest(&self, after: ConversationNumber, limit: usize) -> Result<Vec<Oldest>, InboxError> {
        self.inner.oldest(after, limit).await
    }

    async fn trim(
        &self,
        lane: u16,
        at: Sequence,
        conversation: ConversationNumber,
        before_ms: u64,
    ) -> Result<u64, InboxError> {
        self.inner.trim(lane, at, conversation, before_ms).await
    }

    async fn forget_reports(&self, before_ms: u64) -> Result<u64, InboxError> {
        self.inner.forget_reports(before_ms).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
