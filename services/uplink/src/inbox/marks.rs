//! How far the inbox has taken each lane, so that requests can wait for it, and how long letters wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use barrage_bus::Lanes;
use barrage_protocol::Sequence;
use barrage_store::InboxReads;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Time between two looks while a request waits.
const WATCHED: Duration = Duration::from_millis(15);
/// Time between two looks while a request waits for any change.
const LISTENED: Duration = Duration::from_millis(200);
/// Time between two looks while none waits.
const UNWATCHED: Duration = Duration::from_secs(1);

/// Positions of the lanes in the inbox, read now and then.
pub(super) struct Marks {
    lanes: Arc<dyn Lanes>,
    store: Arc<dyn InboxReads>,
    taken: Vec<watch::Sender<Sequence>>,
    /// Time at which the oldest event that waits was accepted, in Unix milliseconds; 0 when none waits.
    waiting_since: Vec<AtomicU64>,
    /// Grows when the inbox has taken anything.
    moved: watch::Sender<u64>,
    /// Requests that wait for a position.
    waiters: AtomicUsize,
    /// Requests that wait for any change.
    watchers: AtomicUsize,
    wake: Notify,
}

/// One request that waits, until it is dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Marks {
    pub(super) fn new(lanes: Arc<dyn Lanes>, store: Arc<dyn InboxReads>) -> Self {
        let count = lanes.lanes();
        Marks {
            taken: (0..count).map(|_| watch::Sender::new(Sequence::ZERO)).collect(),
            waiting_since: (0..count).map(|_| AtomicU64::new(0)).collect(),
            moved: watch::Sender::new(0),
            waiters: AtomicUsize::new(0),
            watchers: AtomicUsize::new(0),
            wake: Notify::new(),
            lanes,
            store,
        }
    }

    /// Waits until the inbox has a lane up to a position, or the time is over. Returns whether it has.
    pub(super) async fn reached(&self, lane: u16, sequence: Sequence, longest: Duration) -> bool {
        let Some(taken) = self.taken.get(usize::from(lane)) else { return false };
        let mut taken = taken.subscribe();
        if *taken.borrow() >= sequence {
            return true;
        }
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let _waiter = Waiter(&self.waiters);
        self.wake.notify_one();
        let reached = taken.wait_for(|taken| *taken >= sequence);
        tokio::time::timeout(longest, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Returns a receiver for [`Marks::until_moved`].
    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Waits until the inbox has taken anything since the receiver was made, or the time is over.
    pub(super) async fn until_moved(&self, moved: &mut watch::Receiver<u64>, longest: Duration) {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        let _watcher = Waiter(&self.watchers);
        self.wake.notify_one();
        // The sender is in `self`: the wait ends by a change or by the time.
        drop(tokio::time::timeout(longest, moved.changed()).await);
    }

    /// Returns for how long the oldest event of a lane waits, in milliseconds.
    pub(super) fn waited_ms(&self, lane: u16, now_ms: u64) -> u64 {
        let since =
            self.waiting_since.get(usize::from(lane)).map_or(0, |since| since.load(Ordering::Relaxed));
        if since == 0 { 0 } else { now_ms.saturating_sub(since) }
    }

    /// Looks until the shutdown. A database that is down leaves the positions as they were.
    pub(super) async fn run(&self, shutdown: CancellationToken) {
        let mut aged = barrage_clock::now();
        loop {
            self.look().await;
            if aged.elapsed() >= UNWATCHED {
                aged = barrage_clock::now();
                self.look_at_ages().await;
            }
            let has = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 0;
            let pause = if has(&self.waiters) {
                WATCHED
            } else if has(&self.watchers) {
                LISTENED
            } else {
                UNWATCHED
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wake.notified() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn look(&self) {
        let mut has_moved = false;
        for (lane, mark) in self.store.marks().await.unwrap_or_default() {
            let Some(taken) = self.taken.get(usize::from(lane)) else { continue };
            has_moved |= taken.send_if_modified(|known| {
                let moved = mark > *known;
                *known = (*known).max(mark);
                moved
            });
        }
        if has_moved {
            self.moved.send_modify(|count| *count += 1);
        }
    }

    /// Reads the oldest event that waits in each lane.
    async fn look_at_ages(&self) {
        for (lane, (taken, since)) in (0..).zip(self.taken.iter().zip(&self.waiting_since)) {
            let taken = *taken.borrow();
            // The same answer for a lane that cannot be read: its appends fail by themselves.
            let oldest = self.lanes.read(lane, taken, 1).await.unwrap_or_default();
            since.store(oldest.first().map_or(0, |entry| entry.at_ms), Ordering::Relaxed);
        }
    }
}
