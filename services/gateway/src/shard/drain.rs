use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;

use crate::drain::Drain;

/// Part of one shard in a drain: the viewers that are still to be notified.
pub(super) struct ShardDrain<V> {
    pub(super) drain: Arc<Drain>,
    /// Viewers that are not notified yet, in random order.
    waiting: Vec<Weak<V>>,
    all: usize,
}

impl<V> ShardDrain<V> {
    /// Chooses the viewers that go: all of them in a drain, a random share otherwise.
    ///
    /// `random` is between 0 and 1. It decides whether a fraction of a viewer is rounded up, so that
    /// shards with few viewers give their share as well.
    pub(super) fn start(
        drain: Arc<Drain>,
        mut viewers: Vec<Rc<V>>,
        is_exempt: impl Fn(&V) -> bool,
        random: f64,
    ) -> Self {
        let chosen = viewers.len() as f64 * drain.share + random;
        viewers.retain(|viewer| !is_exempt(viewer));
        viewers.shuffle(&mut rand::rng());
        if !drain.cause.is_drain() {
            viewers.truncate(chosen as usize);
        }
        let waiting: Vec<_> = viewers.iter().map(Rc::downgrade).collect();
        ShardDrain { drain, all: waiting.len(), waiting }
    }

    /// Removes and returns the viewers that must be notified after this time. Viewers that have
    /// gone by themselves count, and are not returned.
    pub(super) fn take_due(&mut self, elapsed: Duration) -> Vec<Rc<V>> {
        let left = self.all - self.drain.schedule.notified_by(elapsed, self.all);
        let due = self.waiting.drain(left.min(self.waiting.len())..);
        due.filter_map(|viewer| viewer.upgrade()).collect()
    }

    /// Whether all chosen viewers are notified after this time.
    pub(super) fn is_over(&self, elapsed: Duration) -> bool {
        elapsed >= self.drain.schedule.notify_for
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::drain::{Cause, DrainSchedule, Targets};

    fn drain(cause: Cause, share: f64) -> Arc<Drain> {
        let schedule =
            DrainSchedule { notify_for: Duration::from_secs(10), deadline: Duration::from_secs(15) };
        Arc::new(Drain { cause, share, schedule, started_at: Instant::now(), targets: Targets::default() })
    }

    fn viewers(count: u32) -> Vec<Rc<u32>> {
        (0..count).map(Rc::new).collect()
    }

    #[test]
    fn viewers_are_notified_evenly_and_once() {
        let viewers = viewers(100);
        let mut part = ShardDrain::start(drain(Cause::Drain, 1.0), viewers.clone(), |_| false, 0.0);
        let mut notified = Vec::new();
        for secs in [0, 1, 5, 10, 11] {
            notified.push(part.take_due(Duration::from_secs(secs)).len());
        }
        assert_eq!(notified, [0, 10, 40, 50, 0]);
        assert!(part.is_over(Duration::from_secs(10)) && !part.is_over(Duration::from_secs(9)));
    }

    #[test]
    fn a_share_is_chosen_among_the_viewers_that_are_not_exempt() {
        let viewers = viewers(10);
        let start = |random| {
            ShardDrain::start(drain(Cause::GiveBack, 0.25), viewers.clone(), |viewer| *viewer < 5, random)
        };
        let end = Duration::from_secs(10);
        let given = start(0.0).take_due(end);
        assert_eq!((given.len(), given.iter().all(|viewer| **viewer >= 5)), (2, true));
        assert_eq!(start(0.5).take_due(end).len(), 3, "rounded up at random");
    }

    #[test]
    fn viewers_that_have_gone_are_not_notified() {
        let viewers = viewers(4);
        let mut part = ShardDrain::start(drain(Cause::Shutdown, 1.0), viewers.clone(), |_| false, 0.0);
        drop(viewers);
        assert!(part.take_due(Duration::from_secs(10)).is_empty());
    }
}
