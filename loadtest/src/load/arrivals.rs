//! Due times of posts: a Poisson process whose rate follows the number of viewers. No action of the
//! server moves a due time (open loop).

use rand::RngExt;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Exp};

use crate::load::population::{Phase, Population};

/// Kind of a post that the load tester sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A danmaku: a chat message with a text.
    Chat,
    /// A gift, with the number of pieces.
    Gift,
    /// Likes of one user, sent as one sum.
    Like,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: [Kind; 3] = [Kind::Chat, Kind::Gift, Kind::Like];

    fn times(self, phase: &Phase) -> f64 {
        match self {
            Kind::Chat => phase.chat_times,
            Kind::Gift => phase.gift_times,
            Kind::Like => phase.like_times,
        }
    }
}

/// Due times of one kind, in seconds after the start, in order.
#[derive(Debug)]
pub struct Arrivals {
    population: Population,
    kind: Kind,
    per_viewer_per_s: f64,
    rate_max: f64,
    random: SmallRng,
    secs: f64,
}

/// Returns the greatest rate of a kind, in posts per second.
#[must_use]
pub fn rate_max(population: &Population, phases: &[Phase], kind: Kind, per_viewer_per_s: f64) -> f64 {
    let times = phases.iter().map(|phase| kind.times(phase)).fold(0.0, f64::max);
    times * per_viewer_per_s * f64::from(population.peak())
}

impl Arrivals {
    /// Returns the arrivals over all phases. A share of the load has its share of
    /// `per_viewer_per_s` and its own randomness; all shares together are one process.
    #[must_use]
    pub fn new(
        population: Population,
        phases: &[Phase],
        kind: Kind,
        per_viewer_per_s: f64,
        random: SmallRng,
    ) -> Self {
        let rate_max = rate_max(&population, phases, kind, per_viewer_per_s);
        Arrivals { population, kind, per_viewer_per_s, rate_max, random, secs: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = f64;

    /// Thinning: candidates come at the greatest rate, and each is kept with the probability of the
    /// present rate over the greatest.
    fn next(&mut self) -> Option<f64> {
        let gaps = Exp::new(self.rate_max).ok().filter(|_| self.rate_max > 0.0)?;
        loop {
            self.secs += gaps.sample(&mut self.random);
            let (viewers, phase) = self.population.at(self.secs)?;
            let rate = viewers * self.per_viewer_per_s * self.kind.times(phase);
            if self.random.random::<f64>() * self.rate_max < rate {
                return Some(self.secs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;
    use crate::load::population::Kind as Move;

    fn phase(phase: Move, secs: f64, to: Option<f64>, chat_times: f64) -> Phase {
        Phase { phase, secs, to, chat_times, gift_times: 1.0, like_times: 1.0 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// For a ramp, a hold and a peak: in each phase, the number of arrivals is the area under
        /// the rate within six standard deviations; arrivals are in order, and none lies outside.
        #[test]
        fn counts_follow_the_rate(
            seed in any::<u64>(), viewers in 100..5_000_u32, times in 0.0..5.0_f64, shards in 1..5_u32,
        ) {
            let phases = [
                phase(Move::Ramp, 10.0, Some(1.0), 1.0),
                phase(Move::Hold, 10.0, None, 1.0),
                phase(Move::Hold, 5.0, None, times),
            ];
            let population = Population::new(&phases, viewers);
            let per_viewer_per_s = 0.2;
            let mut all = Vec::new();
            for shard in 0..shards {
                let random = SmallRng::seed_from_u64(seed ^ u64::from(shard));
                let rate = per_viewer_per_s / f64::from(shards);
                let share: Vec<_> =
                    Arrivals::new(population.clone(), &phases, Kind::Chat, rate, random).collect();
                prop_assert!(share.is_sorted());
                all.extend(share);
            }
            let full = f64::from(viewers) * per_viewer_per_s;
            for (from, to, wanted) in
                [(0.0, 10.0, 5.0 * full), (10.0, 20.0, 10.0 * full), (20.0, 25.0, 5.0 * times * full)]
            {
                let got = all.iter().filter(|secs| (from..to).contains(*secs)).count() as f64;
                prop_assert!((got - wanted).abs() <= 6.0 * wanted.sqrt() + 6.0, "{got} instead of {wanted}");
            }
            prop_assert!(all.iter().all(|secs| (0.0..25.0).contains(secs)));
        }
    }

    #[test]
    fn rate_of_zero_gives_no_arrivals() {
        let phases = [phase(Move::Ramp, 10.0, Some(1.0), 1.0)];
        let population = Population::new(&phases, 10);
        let random = SmallRng::seed_from_u64(1);
        assert_eq!(Arrivals::new(population, &phases, Kind::Gift, 0.0, random).count(), 0);
    }
}
