//! The choice of gateways for one newcomer.
//!
//! A bucket at every entry replica limits the joins of each gateway. Its rate is
//! [`crate::WeightsConfig::grants_per_s`]; its depth is the joins of
//! [`crate::WeightsConfig::burst_secs`]. The first picked gateway with room in its bucket gets the
//! newcomer. When no bucket has room, the newcomer gets a ticket for a later time.

/// Returns the indices of at most `max` gateways, by weighted sampling without replacement: each
/// gateway draws `-ln(u)/weight`, and the smallest come first. `random` returns numbers in [0, 1).
pub fn pick(weights: &[f64], max: usize, mut random: impl FnMut() -> f64) -> Vec<usize> {
    let mut drawn: Vec<(f64, usize)> = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0.0 && weight.is_finite())
        .map(|(index, weight)| (-(1.0 - random()).ln() / weight, index))
        .collect();
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0));
    drawn.into_iter().take(max).map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn picks_follow_the_weights() {
        let weights = [1.0, 2.0, 3.0, 0.0, 4.0];
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        let rounds = 20_000;
        let mut first = [0.0; 5];
        for _ in 0..rounds {
            let picks = pick(&weights, 3, || rng.random::<f64>());
            assert_eq!(picks.len(), 3);
            assert!(picks[0] != picks[1] && picks[1] != picks[2] && !picks.contains(&3));
            first[picks[0]] += 1.0;
        }
        let chi: f64 = [0, 1, 2, 4]
            .into_iter()
            .map(|n| {
                let expected = f64::from(rounds) * weights[n] / 10.0;
                (first[n] - expected) * (first[n] - expected) / expected
            })
            .sum();
        // With three degrees of freedom, one value in a thousand is above 16.27.
        assert!(chi < 16.27, "chi-square {chi}, picks {first:?}");
    }
}
