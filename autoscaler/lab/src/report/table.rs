//! Text table with the figures of each contender on each trace.

use std::fmt::Write as _;

use crate::contenders::Contender;
use crate::run::TraceResult;

/// Returns a table of one trace, with one row for each contender.
#[must_use]
pub fn table(result: &TraceResult) -> String {
    let mut text = String::new();
    let bound = result.outcomes.values().next().map_or(0.0, |outcome| outcome.lower_bound_gateway_hours);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} (lower bound {bound:.1} gateway hours)", result.trace);
    let _ = writeln!(
        text,
        "  {:<13} {:>11} {:>6} {:>11} {:>8} {:>8} {:>8} {:>9} {:>9} {:>6} {:>6}",
        "policy", "overload", "for", "waiting", "cost", "actions", "reversed", "cut", "moved", "wrong", "use"
    );
    let _ = writeln!(
        text,
        "  {:<13} {:>11} {:>6} {:>11} {:>8} {:>8} {:>8} {:>9} {:>9} {:>6} {:>6}",
        "", "viewer-s", "s", "viewer-s", "gw-hours", "number", "number", "viewers", "viewers", "gws", "most"
    );
    for (contender, outcome) in &result.outcomes {
        let _ = writeln!(
            text,
            "  {:<13} {:>11} {:>6.0} {:>11} {:>8.1} {:>8.1} {:>8.1} {:>9} {:>9} {:>6.0} {:>6.2}",
            Contender::label(*contender),
            short(outcome.overload_viewer_s),
            outcome.overload_s,
            short(outcome.wait_viewer_s),
            outcome.gateway_hours,
            outcome.scale_actions,
            outcome.reversed_actions,
            short(outcome.forced_closes),
            short(outcome.paced_moves),
            outcome.wrong_victims,
            outcome.utilization_max,
        );
    }
    text
}

/// Explains the columns of the table, and the policies in it.
#[must_use]
pub fn legend(contenders: &[Contender]) -> String {
    let mut text = String::from(
        "overload  viewer-seconds on gateways beyond their knee, and for how many seconds any was\n\
         waiting   viewer-seconds without a gateway, beyond the first second\n\
         cost      hours of gateways, from creation to end\n\
         reversed  changes of the fleet in the other direction within ten minutes\n\
         cut       viewers whose connection a scale-in closed; moved: viewers that moved without a gap\n\
         wrong     gateways that were deleted although others had been chosen and drained\n\
         use       the greatest utilisation of any gateway; 1 is its knee\n\n",
    );
    for contender in contenders {
        let _ = writeln!(text, "{:<13} {}", contender.label(), contender.about());
    }
    text
}

/// Formats a count in few characters, with k or M for thousands or millions.
pub(crate) fn short(count: f64) -> String {
    match count {
        _ if count >= 1e8 => format!("{:.0} M", count / 1e6),
        _ if count >= 1e6 => format!("{:.1} M", count / 1e6),
        _ if count >= 1e3 => format!("{:.1} k", count / 1e3),
        _ => format!("{count:.0}"),
    }
}
