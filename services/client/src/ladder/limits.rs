//! Limits of a ladder: how soon it steps down, and how often it probes.

use serde::{Deserialize, Serialize};

/// Doublings of the wait between probes, at most.
const DOUBLINGS_MAX: u32 = 16;

/// Limits of a [`super::Ladder`]. The defaults are those of `docs/guide/channel.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LadderLimits {
    /// Life of a connection, in milliseconds, after which its rung counts as working. Default 60,000: longer
    /// than the idle limit of most proxies, so that one that is cut again and again is noticed.
    pub stable_ms: u64,
    /// Connections in a row that may be lost before `stable_ms`, until the next connect begins on a lower
    /// rung. Default 3: a restart of a server costs one or two.
    pub early_ends_max: u32,
    /// Ceiling of the wait before the first probe of a better rung, in milliseconds. Default 15,000. It
    /// doubles with each blockage; a wait is at least half of its ceiling.
    pub probe_base_ms: u64,
    /// Largest ceiling of that wait, in milliseconds. Default 600,000.
    pub probe_max_ms: u64,
}

impl Default for LadderLimits {
    fn default() -> Self {
        LadderLimits { stable_ms: 60_000, early_ends_max: 3, probe_base_ms: 15_000, probe_max_ms: 600_000 }
    }
}

impl LadderLimits {
    /// Returns the wait after this many blockages in a row: half of the ceiling, and a random part of the
    /// other half, because many viewers behind one proxy may have stepped down together.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a wait of some minutes in milliseconds is exact in a double"
    )]
    pub(super) fn wait_ms(&self, failures: u32, chance: f64) -> u64 {
        let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
        let ceiling = self.probe_base_ms.saturating_mul(1 << doublings).min(self.probe_max_ms).max(1);
        let half = ceiling as f64 / 2.0;
        (half + half * chance.clamp(0.0, 1.0)) as u64
    }
}
