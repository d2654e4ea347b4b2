//! Idle connections: the longest idle are closed when slots run short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Minimum period between two scans of all connections, in milliseconds. A scan costs some
/// microseconds for each thousand connections.
const SCAN_PERIOD_MS: u64 = 50;

/// The state of one HTTP connection between and during its requests.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    /// Whether a request is being answered, so that no header is due.
    busy: AtomicBool,
    /// Milliseconds from `origin` to the end of the last answer, plus one. 0 while busy and before
    /// the first request, which has a deadline of its own.
    idle_since: AtomicU64,
    close: Notify,
}

impl Activity {
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Marks the start of a request: the connection is busy.
    pub(crate) fn begin(&self) {
        self.busy.store(true, Ordering::Release);
        self.idle_since.store(0, Ordering::Release);
    }

    /// Marks the end of the answer: the connection is idle.
    pub(crate) fn end(&self) {
        self.idle_since.store(millis(self.origin) + 1, Ordering::Release);
        self.busy.store(false, Ordering::Release);
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
            busy: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            close: Notify::new(),
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
            (since > 0).then(|| (since, Arc::clone(activity)))
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
