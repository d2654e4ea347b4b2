//! Beats: when each part of a gateway last ran, for `/healthz`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::room::Rooms;

/// Age beyond which a part counts as dead. Each part beats at least once a second.
pub const BEAT_AGE_MAX: Duration = Duration::from_secs(10);

/// Pause between two beats of a task that waits for something else.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(1);

/// One part's last beat.
#[derive(Debug)]
pub(crate) struct Beat(AtomicU64);

impl Beat {
    pub(crate) fn new() -> Self {
        Beat(AtomicU64::new(now_ms()))
    }

    pub(crate) fn beat(&self) {
        self.0.store(now_ms(), Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.0.load(Ordering::Relaxed)))
    }

    /// Beats while another party, such as the bus, is waited for: a task that waits is alive.
    pub(crate) async fn while_waiting<T>(&self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        loop {
            self.beat();
            if let Ok(done) = tokio::time::timeout(BEAT_EVERY, waiting.as_mut()).await {
                return done;
            }
        }
    }
}

/// Milliseconds since the first call in this process.
pub(crate) fn now_ms() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The beats of a gateway's parts that live as long as the gateway.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) shards: Box<[Beat]>,
    pub(crate) evictions: Beat,
    pub(crate) load: Beat,
    pub(crate) notices: Beat,
    pub(crate) report: Beat,
    is_broken: AtomicBool,
}

impl Parts {
    pub(crate) fn new(shards: usize) -> Self {
        Parts {
            shards: (0..shards).map(|_| Beat::new()).collect(),
            evictions: Beat::new(),
            load: Beat::new(),
            notices: Beat::new(),
            report: Beat::new(),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Notes that a shard has ended before the gateway did.
    pub(crate) fn broke(&self) {
        self.is_broken.store(true, Ordering::Release);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }
}

/// A part of a gateway and the time since its last beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatAge {
    /// Name of the part: `shard-0`, `hubs`, `evictions`, `load`, `notices`, `report`.
    pub part: String,
    /// Time since its last beat.
    pub age: Duration,
}

/// The beats of a gateway; stays readable after [`crate::Gateway::run`] took the gateway.
#[derive(Debug, Clone)]
pub struct Beats {
    pub(crate) parts: Arc<Parts>,
    pub(crate) rooms: Arc<Rooms>,
}

impl Beats {
    /// Age of each part's last beat. Of the hubs, one for each room, the oldest counts; the
    /// age is zero without rooms.
    #[must_use]
    pub fn ages(&self) -> Vec<BeatAge> {
        let Parts { shards, evictions, load, notices, report, .. } = &*self.parts;
        let shards = shards.iter().enumerate().map(|(at, beat)| (format!("shard-{at}"), beat.age()));
        let hubs = self.rooms.all().iter().map(|room| room.beat.age()).max().unwrap_or_default();
        let others = [("evictions", evictions), ("load", load), ("notices", notices), ("report", report)];
        let others = others.map(|(part, beat)| (part.to_owned(), beat.age()));
        let all = shards.chain([("hubs".to_owned(), hubs)]).chain(others);
        all.map(|(part, age)| BeatAge { part, age }).collect()
    }

    /// False once a shard has ended before the shutdown: the gateway then refuses newcomers,
    /// closes its viewers, and [`crate::Gateway::run`] returns an error.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.parts.is_broken()
    }
}
