//! Benches: each runs release builds on real servers and prints what it measured.

pub(crate) mod fanout;
pub(crate) mod flow;
pub(crate) mod handshake;
pub(crate) mod memory;
mod ready;
mod site;
pub(crate) mod slow;
pub(crate) mod wire;

/// The middle one; the upper of two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
