//! Search for the longest idle time that a network bears.

use serde::{Deserialize, Serialize};

/// Shortest interval of an adaptive heartbeat, whatever a server asks for.
const FLOOR_MS: u64 = 10_000;
/// Longest interval of a heartbeat, whatever a server allows.
pub(super) const CEILING_MS: u64 = 30 * 60_000;
/// Idle times of the whole interval that a network must bear before the interval counts as proven.
const CONFIRMATIONS: u32 = 3;
/// Distance of the proven interval from the lost one at which the search ends, at least.
const RESOLUTION_MS: u64 = 5_000;
/// Wait after a loss before a longer interval is tried again; four times as long after each further loss.
const RETRY_S: u64 = 30 * 60;
/// Longest wait between two tries of a lost interval, in seconds.
const RETRY_S_MAX: u64 = 24 * 3_600;

/// Bounds within which the search stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Interval for a network of which nothing is known, in milliseconds.
    pub start_ms: u64,
    /// Longest interval that the server allows, in milliseconds.
    pub max_ms: u64,
}

/// Idle times that one network bore and did not bear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkLimits {
    /// Interval in use; 0 for a network of which nothing is known.
    pub interval_ms: u64,
    /// Longest interval that the network bore three times; 0 before.
    pub proven_ms: u64,
    /// Shortest idle time after which a connection was lost; 0 for none.
    pub lost_ms: u64,
    /// Unix seconds of the last loss.
    pub lost_at_s: u64,
    /// Losses above the proven interval since the search last succeeded.
    pub losses: u32,
    /// Idle times of the interval that the network bore in a row.
    pub survived: u32,
    /// Whether the proven interval was lost once. A second loss in a row lowers it.
    pub is_doubted: bool,
    /// Unix seconds of the last change, by which the memory forgets.
    pub changed_at_s: u64,
}

impl NetworkLimits {
    /// Returns the interval to use, within the bounds of server and client.
    #[must_use]
    pub fn interval(&self, bounds: Bounds) -> u64 {
        let interval = if self.interval_ms == 0 { bounds.start_ms } else { self.interval_ms };
        interval.clamp(FLOOR_MS, bounds.max_ms.clamp(FLOOR_MS, CEILING_MS))
    }

    /// Whether stored values can come from this search.
    pub(super) fn is_plausible(&self) -> bool {
        self.interval_ms <= CEILING_MS && self.proven_ms <= CEILING_MS && self.survived < CONFIRMATIONS
    }

    /// Notes an idle time at whose end the server still answered. Shorter ones than the interval prove
    /// nothing.
    pub(super) fn survived(&mut self, idle_ms: u64, bounds: Bounds, now_s: u64) {
        let interval = self.interval(bounds);
        if idle_ms < interval {
            return;
        }
        self.survived += 1;
        if self.survived < CONFIRMATIONS {
            return;
        }
        self.survived = 0;
        self.is_doubted = false;
        self.proven_ms = self.proven_ms.max(interval);
        if self.lost_ms != 0 && self.proven_ms >= self.lost_ms {
            // The loss had another cause.
            self.lost_ms = 0;
            self.losses = 0;
        }
        self.interval_ms = self.next(now_s).clamp(FLOOR_MS, bounds.max_ms.clamp(FLOOR_MS, CEILING_MS));
        self.changed_at_s = now_s;
    }

    /// Notes an idle time after which the server did not answer, although the network worked.
    pub(super) fn lost(&mut self, idle_ms: u64, bounds: Bounds, now_s: u64) {
        let interval = self.interval(bounds);
        if idle_ms < interval / 2 {
            // The network bore twice as much before: the loss has another cause.
            return;
        }
        self.survived = 0;
        self.changed_at_s = now_s;
        if self.proven_ms != 0 && idle_ms > self.proven_ms {
            self.lost_ms = if self.lost_ms == 0 { idle_ms } else { self.lost_ms.min(idle_ms) };
            self.losses += 1;
            self.interval_ms = self.proven_ms;
        } else if self.is_doubted {
            self.lost_ms = idle_ms;
            self.losses = self.losses.max(2);
            self.proven_ms = 0;
            self.interval_ms = (idle_ms / 2).max(FLOOR_MS);
        } else {
            self.is_doubted = true;
            return;
        }
        self.lost_at_s = now_s;
    }

    /// Returns the interval to try behind a proven one.
    fn next(&self, now_s: u64) -> u64 {
        if self.lost_ms == 0 {
            return self.proven_ms / 2 * 3;
        }
        let is_close = self.lost_ms.saturating_sub(self.proven_ms) <= RESOLUTION_MS.max(self.proven_ms / 8);
        let wait_s = if is_close { RETRY_S_MAX } else { self.retry_s() };
        // A clock that was set back does not lengthen the wait.
        let is_over = now_s.abs_diff(self.lost_at_s) >= wait_s;
        match (is_over, is_close || self.losses <= 1) {
            (false, _) => self.proven_ms,
            // One loss may be chance, and networks change: the same idle time is tried again.
            (true, true) => self.lost_ms,
            (true, false) => self.proven_ms.midpoint(self.lost_ms),
        }
    }

    fn retry_s(&self) -> u64 {
        let further = self.losses.saturating_sub(1).min(8);
        (RETRY_S << (2 * further)).min(RETRY_S_MAX)
    }
}
