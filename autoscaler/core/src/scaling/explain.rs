//! Text that explains a decision to an operator, with the numbers behind it.

use std::fmt::Write as _;

use super::decision::Decision;

/// Explains a decision in several lines of text.
#[must_use]
pub fn explain(decision: &Decision) -> String {
    let reason = &decision.reason;
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{args}");
    };
    line(format_args!(
        "{} gateways asked for; {} serve, {} on the way, {} drain, {} silent.",
        decision.replicas, reason.serving, reason.arriving, reason.draining, reason.silent
    ));
    line(format_args!(
        "Demand: {:.0} viewers ({:.0} waiting), {:.0} joins/s, growing by {:.0}/s.",
        reason.demand.viewers, reason.demand.waiting, reason.demand.joins_per_s, reason.forecast.growth_per_s
    ));
    line(format_args!(
        "In {:.0} s, when a gateway asked for now is ready: {:.0} viewers.",
        reason.forecast.horizon_secs, reason.forecast.viewers
    ));
    for (axis, gateways) in &reason.need.axes {
        let mark = if *axis == reason.need.limiting { "  <- decides" } else { "" };
        line(format_args!("  {:<12} asks for {gateways:7.2} gateways{mark}", axis.label()));
    }
    line(format_args!("With the reserve: {}; wanted: {}.", reason.raw, reason.wanted));
    if reason.panic {
        line(format_args!("Panic: demand outgrows the fleet."));
    }
    for constraint in &reason.constraints {
        line(format_args!("  {}: {}", constraint.label(), constraint.sentence()));
    }
    let steps = [
        ("Drain", &decision.drain),
        ("Cancel the drain of", &decision.undrain),
        ("Remove", &decision.remove),
        ("Send no viewers to", &decision.shut),
    ];
    for (step, ids) in steps.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        line(format_args!("{step}: {}.", ids.join(", ")));
    }
    let moving: f64 = decision.moves.iter().map(|one| one.viewers_per_s).sum();
    if moving > 0.0 {
        line(format_args!("{moving:.0} viewers/s move; skew {:.2}.", reason.skew));
    }
    text
}
