//! Random numbers of a run. The same seed gives the same numbers in every version of this crate, so that
//! kept seeds keep their meaning.

/// The generator `SplitMix64`, with its state.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Creates the generator of a run.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Rng(mix(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    /// Creates the generator of one event of a run. An event that is left out changes no number of the others.
    #[must_use]
    pub fn of_event(seed: u64, event: usize) -> Self {
        Rng(mix(mix(seed) ^ (event as u64 + 1)))
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `bound`; 0 for the bound 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// Returns a number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below((to - from) as usize + 1) as u64
    }

    /// Returns `true` in so many of 100 cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns an item by weight; the sum of the weights is above zero.
    pub fn weighted<T: Copy>(&mut self, items: &[(usize, T)]) -> T {
        let sum: usize = items.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(sum);
        for (weight, item) in items {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        items[0].1
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_seed_are_fixed() {
        let mut rng = Rng::new(1);
        assert_eq!([(); 3].map(|()| rng.below(1_000)), [883, 386, 778]);
        let mut rng = Rng::new(2);
        let seen: std::collections::BTreeSet<_> = (0..1_000).map(|_| rng.between(3, 7)).collect();
        assert_eq!(seen, (3..=7).collect());
        assert_eq!(Rng::new(3).weighted(&[(0, 'a'), (5, 'b')]), 'b');
    }
}
