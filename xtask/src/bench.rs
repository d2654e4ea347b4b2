//! Benches: each runs release builds on real servers and prints what it measured.

pub(crate) mod fanout;
pub(crate) mod flow;
pub(crate) mod handshake;
pub(crate) mod memory;
mod ready;
mod site;
pub(crate) mod slow;
pub(crate) mod wire;

use serde_json::{Map, Value, json};

use crate::run::{note, say};

/// Two binaries measured by turns.
struct ByTurns {
    /// Median of the binary that this checkout builds.
    ours: f64,
    /// Median of the other binary.
    other: f64,
    /// Median of the rounds' ratios, ours to the other.
    ratio: f64,
}

/// Measures this checkout's binary and another in each round, each first in every other round:
/// both see the same machine.
fn by_turns(
    rounds: u32,
    other: &str,
    mut measure: impl FnMut(&str) -> anyhow::Result<f64>,
) -> anyhow::Result<ByTurns> {
    let (mut ours, mut others, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (one, two) = if round % 2 == 0 {
            let two = measure(other)?;
            (measure(site::BARRAGE)?, two)
        } else {
            (measure(site::BARRAGE)?, measure(other)?)
        };
        note(&format!("  round {round} of {rounds}: {one:.0} against {two:.0}, ratio {:.3}", one / two));
        ours.push(one);
        others.push(two);
        ratios.push(one / two);
    }
    Ok(ByTurns { ours: median(&mut ours), other: median(&mut others), ratio: median(&mut ratios) })
}

/// Figures of `by_turns` under a name: `NAME`, `NAME_other`, `NAME_ratio`.
fn against_figures(name: &str, turns: &ByTurns, into: &mut Map<String, Value>) {
    into.insert(name.into(), json!(turns.ours.round()));
    into.insert(format!("{name}_other"), json!(turns.other.round()));
    into.insert(format!("{name}_ratio"), json!((turns.ratio * 1_000.0).round() / 1_000.0));
}

/// Prints figures as one JSON object or as lines.
fn print_figures(figures: &Map<String, Value>, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say(&Value::Object(figures.clone()).to_string());
    }
    figures.iter().try_for_each(|(name, value)| say(&format!("{name:<34} {value}")))
}

/// Returns the median; of an even number of values the upper of the middle two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
