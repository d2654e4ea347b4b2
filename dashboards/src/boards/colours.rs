//! Colours of figures by their values, for all dashboards.

/// Colours of a ratio of successes.
pub(super) const SUCCESS: &[(&str, f64)] = &[("red", f64::NEG_INFINITY), ("orange", 0.99), ("green", 0.999)];
/// Colours of a number that is 0 in a healthy system.
pub(super) const ZERO: &[(&str, f64)] = &[("red", 1.0)];
