//! Idle connections: the longest idle are closed when slots run short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::cut::Cut;

/// Minimum period between two scans of all connections, in milliseconds. A scan costs some
/// microseconds for each thousand connections.
const SCAN_PERIOD_MS: u64 = 50;
/// Period of looking at a connection that has requests, for the idle time of HTTP/2.
const BUSY_PERIOD: Duration = Duration::from_secs(1);

/// The state of one HTTP connection between and during its requests.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    /// Requests that are being answered: one at a time under HTTP/1.1, several under HTTP/2.
    requests: AtomicUsize,
    /// Milliseconds from `origin` to the end of the last answer, plus one. 0 while busy and before
    /// the first request, which has a deadline of its own.
    idle_since: AtomicU64,
    close: Notify,
    /// Why the server closed the connection by force.
    cut: OnceLock<Cut>,
}

impl Activity {
    pub(crate) fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0
    }

    /// Marks the start of a request: the connection is busy.
    pub(crate) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.idle_since.store(0, Ordering::Release);
    }

    /// Marks the end of an answer: after the last one the connection is idle.
    pub(crate) fn end(&self) {
        if self.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle_since.store(millis(self.origin) + 1, Ordering::Release);
        }
    }

    /// Starts the idle time of a connection that is open ahead of its first request.
    pub(crate) fn open_ahead(&self) {
        if !self.is_busy() {
            self.idle_since.store(millis(self.origin) + 1, Ordering::Release);
        }
    }

    /// Returns when the connection had no request for `max`; while it has some, up to a second later.
    pub(crate) async fn idle_for(&self, max: Duration) {
        loop {
            let since_ms = self.idle_since.load(Ordering::Acquire);
            let idle = Duration::from_millis((millis(self.origin) + 1).saturating_sub(since_ms));
            let is_idle = since_ms > 0 && !self.is_busy();
            if is_idle && idle >= max {
                return;
            }
            let wait = if is_idle { max - idle } else { BUSY_PERIOD.min(max) };
            // A clock of milliseconds: a shorter wait would spin.
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    /// Notes why the server closes the connection by force; the first reason stays.
    pub(crate) fn cut(&self, reason: Cut) {
        let _earlier = self.cut.set(reason);
    }

    pub(crate) fn cut_reason(&self) -> Option<Cut> {
        self.cut.get().copied()
    }

    /// Returns when the connection is to close to free its slot.
    pub(crate) async fn close_requested(&self) {
        self.close.notified().await;
    }
}

/// All HTTP connections of a server: at most `http.connections_max`.
#[derive(Debug)]
pub(crate) struct Activities {
    origin: Instant,
    all: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    scanned_ms: AtomicU64,
}

/// A connection's entry among the activities of its server, removed on drop.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) activity: Arc<Activity>,
    id: u64,
    activities: Arc<Activities>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.activities.all.lock().remove(&self.id);
    }
}

impl Activities {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Activities {
            origin: barrage_clock::now(),
            all: Mutex::default(),
            next: AtomicU64::new(0),
            scanned_ms: AtomicU64::new(0),
        })
    }

    pub(crate) fn register(self: &Arc<Self>) -> Registered {
        let activity = Arc::new(Activity {
            origin: self.origin,
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            close: Notify::new(),
            cut: OnceLock::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.all.lock().insert(id, Arc::clone(&activity));
        Registered { activity, id, activities: Arc::clone(self) }
    }

    /// Closes the `count` longest idle connections. Does nothing within [`SCAN_PERIOD_MS`] of the
    /// last scan.
    pub(crate) fn close_idle(&self, count: usize) {
        let now_ms = millis(self.origin) + SCAN_PERIOD_MS;
        let scanned_ms = self.scanned_ms.load(Ordering::Relaxed);
        if now_ms < scanned_ms + SCAN_PERIOD_MS {
            return;
        }
        self.scanned_ms.store(now_ms, Ordering::Relaxed);
        let all = self.all.lock();
        let idle = |activity: &Arc<Activity>| {
            let since = activity.idle_since.load(Ordering::Acquire);
            (since > 0 && !activity.is_busy()).then(|| (since, Arc::clone(activity)))
        };
        let mut idle: Vec<_> = all.values().filter_map(idle).collect();
        drop(all);
        if idle.len() > count {
            idle.select_nth_unstable_by_key(count, |(since, _)| *since);
            idle.truncate(count);
        }
        for (_, activity) in idle {
            activity.close.notify_one();
        }
    }
}

fn millis(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
