//! Settings of one run of one scenario.

use std::path::PathBuf;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Size of a run: the short form for CI, or the full one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// The form of `all --quick`: some 25 seconds for each scenario.
    Quick,
    /// The form whose figures docs/reliability.md has.
    Full,
}

/// Server binary, seed and size of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Path of the server binary.
    pub binary: PathBuf,
    /// Seed of all choices.
    pub seed: u64,
    /// Size of the load and of the faults.
    pub size: Size,
    /// Duration of the load in minutes, in place of the scenario's own.
    pub minutes: Option<f64>,
    /// Number of viewers, in place of the scenario's own.
    pub viewers: Option<usize>,
}

impl Run {
    /// Returns a value for each size.
    #[must_use]
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        match self.size {
            Size::Quick => quick,
            Size::Full => full,
        }
    }

    /// Duration of the load in seconds.
    #[must_use]
    pub fn secs(&self, quick: u64, full: u64) -> u64 {
        let asked = self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0).as_secs().max(1));
        asked.unwrap_or_else(|| self.pick(quick, full))
    }

    /// Number of viewers of the scenario.
    #[must_use]
    pub fn viewers(&self, quick: usize, full: usize) -> usize {
        self.viewers.unwrap_or_else(|| self.pick(quick, full))
    }

    /// Random choices of the run, the same for the same seed.
    #[must_use]
    pub fn chance(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}
