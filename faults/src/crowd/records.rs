//! Shared records of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage_client::HttpPool;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Load;
use crate::oracle::Promises;

/// What the writer and all viewers record while they run.
#[derive(Debug)]
pub struct Records {
    origin: Instant,
    /// Load of the run.
    pub load: Load,
    gifts_accepted_ms: Vec<AtomicU32>,
    chats_accepted_ms: Vec<AtomicU32>,
    /// Posts that were refused, or had no answer.
    pub posts_failed: AtomicU64,
    /// Posts that were answered `held`: over the room's quota, for their sender alone.
    pub held: AtomicU64,
    /// Durations of answered posts with the time of their end, in milliseconds.
    pub post_ms: Mutex<Vec<(u32, u32)>>,
    /// Viewers that have joined their room at least once.
    pub joined: AtomicU64,
    /// Gifts shown, over all viewers.
    pub shown: AtomicU64,
    pub(super) http: HttpPool,
    end: CancellationToken,
}

impl Records {
    /// Returns empty records, whose clock starts now.
    #[must_use]
    pub fn new(load: Load) -> Arc<Self> {
        Arc::new(Records {
            origin: barrage_clock::now(),
            gifts_accepted_ms: (0..load.gifts()).map(|_| AtomicU32::new(0)).collect(),
            chats_accepted_ms: (0..load.chats()).map(|_| AtomicU32::new(0)).collect(),
            posts_failed: AtomicU64::new(0),
            held: AtomicU64::new(0),
            post_ms: Mutex::default(),
            joined: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            http: HttpPool::new(),
            end: CancellationToken::new(),
            load,
        })
    }

    /// Milliseconds since the start, plus 1.
    #[must_use]
    pub fn now_ms(&self) -> u32 {
        u32::try_from(self.origin.elapsed().as_millis()).unwrap() + 1
    }

    /// Times of all acceptances so far, for the oracle.
    #[must_use]
    pub fn promises(&self) -> Promises {
        let plain = |all: &[AtomicU32]| all.iter().map(|at| at.load(Ordering::Relaxed)).collect();
        Promises {
            rooms: self.load.rooms,
            gifts_ms: plain(&self.gifts_accepted_ms),
            chats_ms: plain(&self.chats_accepted_ms),
        }
    }

    /// Time at which a gift was accepted, as [`Self::now_ms`] has it; 0 before.
    pub(crate) fn gift_accepted_ms(&self, number: usize) -> &AtomicU32 {
        &self.gifts_accepted_ms[number]
    }

    /// Time at which a chat message was accepted, as [`Self::now_ms`] has it; 0 before.
    pub(crate) fn chat_accepted_ms(&self, number: usize) -> &AtomicU32 {
        &self.chats_accepted_ms[number]
    }

    /// Waits until viewers have received all accepted gifts, for `wait_max` at most.
    pub(crate) async fn all_shown(&self, wait_max: Duration) {
        let late = async {
            while self.shown.load(Ordering::Relaxed) < self.due() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        drop(tokio::time::timeout(wait_max, late).await);
    }

    /// Lets all viewers end.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Waits for the end of the run.
    pub(crate) async fn ended(&self) {
        self.end.cancelled().await;
    }

    /// Number of gifts that viewers must have received by now.
    #[must_use]
    pub fn due(&self) -> u64 {
        let gifts = self.gifts_accepted_ms.iter().enumerate();
        let accepted = gifts.filter(|(_, at)| at.load(Ordering::Relaxed) > 0);
        accepted.map(|(gift, _)| self.load.viewers_of(gift % self.load.rooms)).sum()
    }

    /// Percentile of the durations of posts that were answered within a span of the run, in milliseconds;
    /// 0 without posts.
    #[must_use]
    pub fn post_percentile_ms(&self, span: std::ops::Range<u32>, share: f64) -> u32 {
        let all = self.post_ms.lock();
        let mut in_span: Vec<_> = all.iter().filter(|(at, _)| span.contains(at)).map(|(_, ms)| *ms).collect();
        in_span.sort_unstable();
        let at = (in_span.len().saturating_sub(1) as f64 * share) as usize;
        in_span.get(at).copied().unwrap_or(0)
    }
}
