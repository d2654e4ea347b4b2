//! Which connections are idle, so that the longest idle give way to newcomers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Connections are looked through at most so often: a look costs some microseconds for each
/// thousand of them.
const LOOK_EVERY_MS: u64 = 50;

/// One HTTP connection between and during its requests.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    /// A request is being answered: no header is due.
    busy: AtomicBool,
    /// Milliseconds after `origin` when the last answer had gone, plus one; 0 while busy and
    /// before the first request, which has a deadline of its own.
    idle_since: AtomicU64,
    give_way: Notify,
}

impl Activity {
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// A request came in.
    pub(crate) fn begin(&self) {
        self.busy.store(true, Ordering::Release);
        self.idle_since.store(0, Ordering::Release);
    }

    /// Its answer has gone.
    pub(crate) fn end(&self) {
        self.idle_since.store(millis(self.origin) + 1, Ordering::Release);
        self.busy.store(false, Ordering::Release);
    }

    /// Returns when the connection is to be closed for a newcomer.
    pub(crate) async fn told_to_give_way(&self) {
        self.give_way.notified().await;
    }
}

/// All HTTP connections of a server: at most `http.connections_max`.
#[derive(Debug)]
pub(crate) struct Activities {
    origin: Instant,
    all: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    looked_ms: AtomicU64,
}

/// A connection's entry; forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) activity: Arc<Activity>,
    id: u64,
    book: Arc<Activities>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.book.all().remove(&self.id);
    }
}

impl Activities {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Activities {
            origin: Instant::now(),
            all: Mutex::default(),
            next: AtomicU64::new(0),
            looked_ms: AtomicU64::new(0),
        })
    }

    pub(crate) fn register(self: &Arc<Self>) -> Registered {
        let activity = Arc::new(Activity {
            origin: self.origin,
            busy: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            give_way: Notify::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.all().insert(id, Arc::clone(&activity));
        Registered { activity, id, book: Arc::clone(self) }
    }

    /// Tells the `count` longest idle connections to close; does nothing when it did so a
    /// moment ago.
    pub(crate) fn make_room(&self, count: usize) {
        let now_ms = millis(self.origin) + LOOK_EVERY_MS;
        let looked_ms = self.looked_ms.load(Ordering::Relaxed);
        if now_ms < looked_ms + LOOK_EVERY_MS {
            return;
        }
        self.looked_ms.store(now_ms, Ordering::Relaxed);
        let all = self.all();
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
            activity.give_way.notify_one();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
