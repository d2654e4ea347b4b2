//! The search for a knee: verdicts in, the next load out. Pure.

/// Verdict of a trial, which decides the next load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every figure of the trial stayed within its limits.
    Held,
    /// At least one figure of the trial left its limits.
    Broke,
}

/// Bounds of a search, which ensure that it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Load of the first trial; at most the ceiling.
    pub start: f64,
    /// Greatest load; when it holds, the search ends.
    pub ceiling: f64,
    /// Factor from trial to trial while no load, or every load, has broken; above 1.
    pub growth: f64,
    /// The search ends when the load that broke is at most this share above the one that held.
    pub precision: f64,
    /// Maximum number of trials of one axis; then the search ends.
    pub trials_max: u32,
}

/// A load that held, and the lowest load above it that broke.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Greatest load that held in one trial.
    pub held: f64,
    /// Lowest load that broke; absent when none did, and then the knee is at least `held`.
    pub broke: Option<f64>,
}

/// Greatest factor by which the search goes below the first load.
const FLOOR: f64 = 256.0;

/// Search for a knee. A load has held when one trial held, and has broken when two in a row broke,
/// so that a hiccup is no knee. Every load that is tried lies between the greatest that held and
/// the lowest that broke.
#[derive(Debug)]
pub struct KneeSearch {
    bounds: Bounds,
    held: Option<f64>,
    broke: Option<f64>,
    next: Option<f64>,
    /// Whether the present load has broken once; a second break in a row counts.
    is_doubted: bool,
    trials: u32,
}

impl KneeSearch {
    /// Returns a search without trials, whose first load is `start`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let next = Some(bounds.start.min(bounds.ceiling));
        KneeSearch { bounds, held: None, broke: None, next, is_doubted: false, trials: 0 }
    }

    /// Returns the load to try next; `None` when the search is over.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        self.next
    }

    /// Takes the verdict on the load of [`KneeSearch::next`].
    pub fn tell(&mut self, verdict: Verdict) {
        let Some(load) = self.next else { return };
        self.trials += 1;
        match verdict {
            Verdict::Broke if !self.is_doubted => self.is_doubted = true,
            Verdict::Broke => {
                self.broke = Some(load);
                self.is_doubted = false;
                self.next = self.after();
            }
            Verdict::Held => {
                self.held = Some(load);
                self.is_doubted = false;
                self.next = self.after();
            }
        }
        if self.trials >= self.bounds.trials_max {
            self.next = None;
        }
    }

    /// Returns the result so far; `None` while no load has held.
    #[must_use]
    pub fn found(&self) -> Option<Found> {
        self.held.map(|held| Found { held, broke: self.broke })
    }

    fn after(&self) -> Option<f64> {
        let Bounds { start, ceiling, growth, precision, .. } = self.bounds;
        match (self.held, self.broke) {
            (Some(held), None) => (held < ceiling).then(|| (held * growth).min(ceiling)),
            (None, Some(broke)) => Some(broke / growth).filter(|next| *next >= start / FLOOR),
            (Some(held), Some(broke)) => (broke > held * (1.0 + precision)).then(|| (held * broke).sqrt()),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { start: 100.0, ceiling: 20_000.0, growth: 2.0, precision: 0.1, trials_max: 40 };

    /// Runs a search against an oracle, and returns all loads that it tried.
    fn search(bounds: Bounds, mut oracle: impl FnMut(f64) -> Verdict) -> (Option<Found>, Vec<f64>) {
        let (mut search, mut tried) = (KneeSearch::new(bounds), Vec::new());
        while let Some(load) = search.next() {
            tried.push(load);
            search.tell(oracle(load));
        }
        (search.found(), tried)
    }

    fn verdict(holds: bool) -> Verdict {
        if holds { Verdict::Held } else { Verdict::Broke }
    }

    proptest! {
        /// Near the knee the oracle is random; elsewhere it is right.
        #[test]
        fn the_knee_is_found_however_the_luck_falls_near_it(
            knee in 5.0..40_000.0_f64, noise in 0.0..0.1_f64, luck in prop::collection::vec(any::<bool>(), 64),
        ) {
            let mut luck = luck.into_iter().cycle();
            let (low, high) = (knee * (1.0 - noise), knee * (1.0 + noise));
            let (found, tried) = search(BOUNDS, |load| match load {
                load if load <= low => Verdict::Held,
                load if load >= high => Verdict::Broke,
                _ => verdict(luck.next().unwrap()),
            });
            prop_assert!(tried.len() <= 2 * (8 + 8), "{} trials", tried.len());
            let found = found.unwrap();
            prop_assert!(found.held <= high);
            match found.broke {
                None => prop_assert_eq!(found.held, BOUNDS.ceiling),
                Some(broke) => {
                    prop_assert!(broke >= low && broke > found.held);
                    prop_assert!(found.held * (1.0 + BOUNDS.precision) >= low, "{found:?} of {knee}");
                }
            }
        }

        /// Single failures, never two in a row, change no result.
        #[test]
        fn a_hiccup_is_no_knee(knee in 5.0..40_000.0_f64, every in 2_usize..7) {
            let (calm, _) = search(BOUNDS, |load| verdict(load <= knee));
            let mut trial = 0;
            let (shaken, _) = search(BOUNDS, |load| {
                trial += 1;
                verdict(load <= knee && trial % every != 0)
            });
            prop_assert_eq!(calm, shaken);
        }

        #[test]
        fn trials_are_bounded(trials_max in 1..20_u32, luck in prop::collection::vec(any::<bool>(), 20)) {
            let mut luck = luck.into_iter();
            let bounds = Bounds { trials_max, ..BOUNDS };
            let (_, tried) = search(bounds, |_| verdict(luck.next().unwrap()));
            prop_assert!(tried.len() <= trials_max as usize);
            prop_assert!(tried.iter().all(|load| *load <= bounds.ceiling));
        }
    }

    #[test]
    fn server_that_holds_no_load_has_no_knee() {
        let (found, tried) = search(BOUNDS, |_| Verdict::Broke);
        assert_eq!(found, None);
        assert!(tried.last().unwrap() >= &(BOUNDS.start / FLOOR) && tried.len() < 25);
    }

    #[test]
    fn load_held_at_the_ceiling_is_a_lower_bound() {
        let (found, tried) = search(BOUNDS, |_| Verdict::Held);
        assert_eq!(found, Some(Found { held: 20_000.0, broke: None }));
        assert_eq!(tried.len(), 9);
    }
}
