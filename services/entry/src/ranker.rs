//! Which gateways a client should try, in which order. Pure: chance is passed in.

/// A gateway as the ranker sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Share of its connections that is free, 0 to 1.
    pub headroom: f64,
    /// Smoothed race time in milliseconds, when clients reported any.
    pub race_ms: Option<f64>,
    /// Whether it takes newcomers.
    pub draining: bool,
}

/// Race times at this distance from the fastest halve a gateway's weight.
const HALVING_MS: f64 = 50.0;
/// The least that race times leave of a weight: anybody may report, and reports alone
/// must not take a gateway out of use.
const RACE_FACTOR_MIN: f64 = 0.05;

fn weight(candidate: &Candidate, fastest_ms: f64) -> f64 {
    if candidate.draining || candidate.headroom.is_nan() {
        return 0.0;
    }
    let slower_ms = candidate.race_ms.map_or(0.0, |ms| (ms - fastest_ms).max(0.0));
    candidate.headroom.clamp(0.0, 1.0) * 0.5_f64.powf(slower_ms / HALVING_MS).max(RACE_FACTOR_MIN)
}

/// Indices of at most `max` candidates, by weighted sampling without replacement
/// (each draws `u^(1/weight)`, the greatest first), so that a crowd spreads by
/// weight while each client still gets distinct gateways. `random` gives numbers
/// in [0, 1).
pub fn rank(candidates: &[Candidate], max: usize, mut random: impl FnMut() -> f64) -> Vec<usize> {
    let fastest_ms = candidates.iter().filter_map(|c| c.race_ms).fold(f64::INFINITY, f64::min);
    let mut drawn: Vec<(f64, usize)> = candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| (weight(candidate, fastest_ms), index))
        .filter(|(weight, _)| *weight > 0.0)
        // 1 - u lies in (0, 1]: its logarithm is finite. ln keeps the order of u^(1/w).
        .map(|(weight, index)| ((1.0 - random()).ln() / weight, index))
        .collect();
    drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
    drawn.into_iter().take(max).map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(headroom: f64) -> Candidate {
        Candidate { id: "g".into(), headroom, race_ms: None, draining: false }
    }

    fn chance(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    #[test]
    fn newcomers_spread_by_headroom() {
        let candidates = [candidate(0.9), candidate(0.3), candidate(0.0)];
        let mut random = chance(7);
        let first = (0..10_000).filter(|_| rank(&candidates, 3, &mut random)[0] == 0).count();
        assert!((7_200..7_800).contains(&first), "three in four, and it was {first}");
    }

    #[test]
    fn a_slow_path_is_seldom_first_and_a_draining_gateway_never_named() {
        let near = Candidate { race_ms: Some(20.0), ..candidate(0.5) };
        let far = Candidate { race_ms: Some(220.0), ..candidate(1.0) };
        let leaving = Candidate { draining: true, ..candidate(1.0) };
        let mut random = chance(9);
        let candidates = [near, far, leaving];
        let first = (0..1_000).filter(|_| rank(&candidates, 3, &mut random)[0] == 0).count();
        assert!(first > 800, "{first}");
        assert!(!rank(&candidates, 3, &mut random).contains(&2));
    }

    #[test]
    fn reports_alone_take_no_gateway_out_of_use() {
        let fast = Candidate { race_ms: Some(1.0), ..candidate(0.5) };
        let slandered = Candidate { race_ms: Some(3_000.0), ..candidate(0.5) };
        let candidates = [fast, slandered];
        let mut random = chance(3);
        let first = (0..10_000).filter(|_| rank(&candidates, 1, &mut random)[0] == 1).count();
        assert!((350..650).contains(&first), "one in twenty-one, and it was {first}");
    }

    proptest! {
        #[test]
        fn distinct_bounded_and_only_with_headroom(headrooms in prop::collection::vec(-1.0_f64..2.0, 0..20), max in 0_usize..6, seed: u64) {
            let candidates: Vec<_> = headrooms.iter().map(|h| candidate(*h)).collect();
            let ranked = rank(&candidates, max, chance(seed));
            let open = headrooms.iter().filter(|h| **h > 0.0).count();
            prop_assert_eq!(ranked.len(), open.min(max));
            let distinct: std::collections::BTreeSet<_> = ranked.iter().collect();
            prop_assert_eq!(distinct.len(), ranked.len());
            prop_assert!(ranked.iter().all(|i| headrooms[*i] > 0.0));
        }
    }
}
