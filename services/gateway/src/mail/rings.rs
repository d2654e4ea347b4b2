//! When all attached viewers of the gateway are rung: after a loss, and not more often than the bells are spread.

use std::time::Duration;

/// Time over which clients spread their requests after a loss, and least time between two rings.
pub(crate) const SPREAD: Duration = Duration::from_secs(10);

/// A ring that is wanted waits until the clients have answered the last one.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    is_wanted: bool,
    rung_at: Option<Duration>,
}

impl Rings {
    /// Notes that mail may be lost.
    pub(crate) const fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Returns whether all viewers must be rung now. Without a viewer, no ring is wanted any more.
    pub(crate) fn take_due(&mut self, now: Duration, has_viewers: impl FnOnce() -> bool) -> bool {
        self.is_wanted = self.is_wanted && has_viewers();
        let is_due = self.is_wanted && self.rung_at.is_none_or(|at| now.saturating_sub(at) >= SPREAD);
        if is_due {
            (self.is_wanted, self.rung_at) = (false, Some(now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_in_a_row_ring_once_for_each_spread() {
        let mut rings = Rings::default();
        let now = Duration::from_secs(100);
        rings.want();
        assert!(
            !rings.take_due(now, || false) && !rings.take_due(now, || true),
            "nobody was there to be rung"
        );
        rings.want();
        assert!(rings.take_due(now, || true) && !rings.take_due(now, || true));
        rings.want();
        rings.want();
        assert!(!rings.take_due(now + SPREAD / 2, || true), "clients still answer the first one");
        assert!(rings.take_due(now + SPREAD, || true) && !rings.take_due(now + SPREAD * 3, || true));
    }
}
