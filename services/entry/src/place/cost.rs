//! The cost of an endpoint for a client, by place and race times, and the share that follows. Pure.
//!
//! The cost is a time: the milliseconds that a connect takes longer than at a near endpoint. The place
//! predicts it. Race times correct the prediction, each endpoint against the typical endpoint, and by
//! [`PlaceConfig::race_ms_max`] at most. A share halves with every [`PlaceConfig::halving_ms`] of cost
//! and never becomes zero: a far endpoint serves when the near ones have no headroom.

use barrage_bus::Place;

use super::location::{Location, PlaceMatch};
use super::place_config::PlaceConfig;

/// Least factor of a share by cost. Above zero, so that distance alone takes no endpoint out of use.
pub(crate) const FACTOR_MIN: f64 = 1e-4;

/// Returns the cost that the place of an instance predicts for clients of a location, in milliseconds.
pub(crate) fn place_ms(config: &PlaceConfig, location: &Location, place: &Place) -> f64 {
    let region_ms = match location.compare(place) {
        PlaceMatch::Unknown => return 0.0,
        PlaceMatch::Near | PlaceMatch::OtherCarrier => 0.0,
        PlaceMatch::OtherRegion => config.region_ms,
    };
    region_ms + if location.has_line(place) { 0.0 } else { config.carrier_ms }
}

/// An endpoint's predicted cost, and the race time that clients of the location measured, if enough
/// did. Both in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prospect {
    pub(crate) place_ms: f64,
    pub(crate) race_ms: Option<f64>,
}

/// Returns the factor of each endpoint's share, from [`FACTOR_MIN`] to 1; the cheapest has 1.
pub(crate) fn factors(config: &PlaceConfig, prospects: &[Prospect]) -> Vec<f64> {
    let costs = costs_ms(config, prospects);
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    costs.iter().map(|cost| 0.5_f64.powf((cost - least) / config.halving_ms).max(FACTOR_MIN)).collect()
}

/// Returns the cost of each endpoint. An endpoint without a race time costs what its place predicts.
fn costs_ms(config: &PlaceConfig, prospects: &[Prospect]) -> Vec<f64> {
    // What each endpoint takes beyond its prediction: the lower median is that of a typical endpoint.
    let mut beyond: Vec<f64> = prospects.iter().filter_map(|one| Some(one.race_ms? - one.place_ms)).collect();
    beyond.sort_by(f64::total_cmp);
    let typical = beyond.get(beyond.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    let cost = |one: &Prospect| {
        let correction = one.race_ms.map_or(0.0, |ms| ms - one.place_ms - typical);
        one.place_ms + correction.clamp(-config.race_ms_max, config.race_ms_max)
    };
    prospects.iter().map(cost).collect()
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
