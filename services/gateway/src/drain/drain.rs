use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{DrainSchedule, Targets};

/// No ping-pong: a viewer that arrived with a position within this time is exempt from
/// rebalancing, but not from a drain.
const MOVE_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

/// Why viewers are sent to other gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The process ends: all viewers go, and new ones are refused.
    Shutdown,
    /// An operator or the autoscaler drains the gateway, and may cancel that.
    Drain,
    /// The gateway gives back a share of its viewers, to lower its load.
    GiveBack,
}

impl Cause {
    /// Stable name, in answers and as a metric label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Cause::Shutdown => "shutdown",
            Cause::Drain => "drain",
            Cause::GiveBack => "give_back",
        }
    }

    /// Whether all viewers go and new ones are refused.
    pub(crate) const fn is_drain(self) -> bool {
        !matches!(self, Cause::GiveBack)
    }
}

/// Drain under way, shared by all shards and event streams.
#[derive(Debug)]
pub(crate) struct Drain {
    pub(crate) cause: Cause,
    /// Share of the viewers that go, chosen at random; 1 is all.
    pub(crate) share: f64,
    pub(crate) schedule: DrainSchedule,
    pub(crate) started_at: Instant,
    /// Gateways named to the viewers. Empty in a drain, where viewers ask entry.
    pub(crate) targets: Targets,
}

impl Drain {
    /// Moment at which viewers that are still connected are closed.
    pub(crate) fn ends_at(&self) -> Instant {
        self.started_at + self.schedule.deadline
    }

    /// Whether a viewer stays that arrived with a position at this moment, from another gateway
    /// or after a break.
    pub(crate) fn exempts(&self, resumed_at: Option<Instant>) -> bool {
        !self.cause.is_drain() && resumed_at.is_some_and(|at| at.elapsed() < MOVE_AGAIN_AFTER)
    }
}

/// The drain that is in force, if any.
#[derive(Debug)]
pub(crate) struct Drains(watch::Sender<Option<Arc<Drain>>>);

impl Drains {
    pub(crate) fn none() -> Self {
        Drains(watch::Sender::new(None))
    }

    /// Returns the drain in force; `None` once the time of a given-back share is over.
    pub(crate) fn current(&self) -> Option<Arc<Drain>> {
        let drain = self.0.borrow().clone();
        drain.filter(|drain| drain.cause.is_drain() || drain.ends_at() > Instant::now())
    }

    /// Whether all viewers go, so that new ones must be refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|drain| drain.cause.is_drain())
    }

    /// Replaces the drain in force; `None` cancels it.
    pub(crate) fn set(&self, drain: Option<Arc<Drain>>) {
        self.0.send_replace(drain);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<Drain>>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(cause: Cause) -> Drain {
        let schedule = DrainSchedule::within(Duration::from_secs(10));
        Drain { cause, share: 1.0, schedule, started_at: Instant::now(), targets: Targets::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_back_share_is_over_after_its_time_and_a_drain_is_not() {
        let drains = Drains::none();
        drains.set(Some(Arc::new(drain(Cause::GiveBack))));
        assert!(drains.current().is_some() && !drains.is_draining());
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(drains.current().is_none());
        drains.set(Some(Arc::new(drain(Cause::Drain))));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(drains.current().is_some() && drains.is_draining());
        drains.set(None);
        assert!(drains.current().is_none() && !drains.is_draining());
    }

    #[tokio::test(start_paused = true)]
    async fn viewers_that_moved_lately_are_exempt_from_rebalancing_alone() {
        let moved_at = Some(Instant::now());
        assert!(drain(Cause::GiveBack).exempts(moved_at));
        assert!(!drain(Cause::GiveBack).exempts(None), "a viewer without a position is new");
        assert!(!drain(Cause::Drain).exempts(moved_at));
        tokio::time::advance(MOVE_AGAIN_AFTER).await;
        assert!(!drain(Cause::GiveBack).exempts(moved_at));
    }
}
