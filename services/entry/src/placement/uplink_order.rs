//! The order of uplinks for a client, by load, place and race times. Pure.

use barrage_scaling::pick;

/// Share of the processors from which an uplink counts as full.
const FULL_AT: f64 = 0.95;
/// Least headroom of an uplink: a full one still takes posts, and the others may be unreachable.
const HEADROOM_MIN: f64 = 0.001;

/// Returns the indices of all uplinks, by chance with a weight: headroom of the processors times the
/// factor by place and race times. `busy` is the used share of the processors of each.
pub(crate) fn uplink_order(busy: &[f64], factors: &[f64], random: impl FnMut() -> f64) -> Vec<usize> {
    let headroom = |busy: f64| ((FULL_AT - busy) / FULL_AT).clamp(HEADROOM_MIN, 1.0);
    let weights: Vec<f64> = busy.iter().zip(factors).map(|(busy, factor)| headroom(*busy) * factor).collect();
    pick(&weights, weights.len(), random)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn firsts(busy: &[f64], factors: &[f64]) -> Vec<u32> {
        let mut rng = StdRng::seed_from_u64(5);
        let mut firsts = vec![0; busy.len()];
        for _ in 0..1_000 {
            firsts[uplink_order(busy, factors, || rng.random::<f64>())[0]] += 1;
        }
        firsts
    }

    #[test]
    fn near_uplink_comes_first_until_it_is_full() {
        assert!(firsts(&[0.5, 0.0], &[1.0, 0.007])[0] > 960);
        assert!(firsts(&[0.99, 0.0], &[1.0, 0.007])[1] > 800, "a full one spills over");
        let even = firsts(&[0.2, 0.2, 0.2], &[1.0, 1.0, 1.0]);
        assert!(even.iter().all(|many| (250..420).contains(many)), "{even:?}");
    }

    proptest! {
        #[test]
        fn every_uplink_is_in_the_order_once(
            seen in prop::collection::vec((0.0..=1.0_f64, 1e-4..=1.0_f64), 0..12),
            seed: u64,
        ) {
            let (busy, factors): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
            let mut rng = StdRng::seed_from_u64(seed);
            let mut order = uplink_order(&busy, &factors, || rng.random::<f64>());
            order.sort_unstable();
            prop_assert_eq!(order, (0..busy.len()).collect::<Vec<_>>());
        }
    }
}
