//! The result of a trace in sentences.

use super::table::short;
use crate::contenders::Contender;
use crate::run::{Outcome, TraceResult};

/// Viewer-seconds up to which overload and waiting count as none.
const NOTHING: f64 = 1.0;

/// Returns a sentence on the cost, the overload and the waiting of the first policy, then one
/// for each other policy compared with it.
#[must_use]
pub fn verdict(result: &TraceResult) -> Vec<String> {
    let Some((contender, outcome)) = result.outcomes.iter().next() else { return Vec::new() };
    let peak = result.timelines.values().flat_map(|timeline| &timeline.points).map(|point| point.viewers);
    let first = sentence(*contender, outcome, peak.fold(0.0, f64::max));
    let others = result.outcomes.iter().skip(1).map(|(other, theirs)| beside(*other, theirs, outcome));
    std::iter::once(first).chain(others).collect()
}

fn sentence(contender: Contender, outcome: &Outcome, peak_viewers: f64) -> String {
    let viewers_felt = match (outcome.wait_viewer_s > NOTHING, outcome.overload_viewer_s > NOTHING) {
        (false, false) => "No viewer waited, and no gateway was overloaded.".to_owned(),
        (waits, overloads) => {
            let each = outcome.wait_viewer_s / peak_viewers.max(1.0);
            let waiting = format!(
                "viewers waited {} viewer-seconds in all, {each:.1} s for each of {} at the peak",
                short(outcome.wait_viewer_s),
                short(peak_viewers)
            );
            let overload = format!(
                "{} viewer-seconds were spent on overloaded gateways, within {} s",
                short(outcome.overload_viewer_s),
                short(outcome.overload_s)
            );
            match (waits, overloads) {
                (true, true) => format!("The {waiting}; {overload}."),
                (true, false) => format!("The {waiting}; no gateway was overloaded."),
                _ => format!("No viewer waited; {overload}."),
            }
        }
    };
    let bound = outcome.lower_bound_gateway_hours;
    let times = if bound > 0.0 {
        format!(", {:.2} times the lower bound", outcome.gateway_hours / bound)
    } else {
        String::new()
    };
    format!(
        "{} needs {:.0} gateways at most and {:.1} gateway hours{times}. {viewers_felt}",
        contender.label(),
        outcome.replicas_max,
        outcome.gateway_hours
    )
}

fn beside(contender: Contender, theirs: &Outcome, ours: &Outcome) -> String {
    let cost = match ours.gateway_hours {
        hours if hours > 0.0 => {
            format!("{:+.0} % gateway hours", (theirs.gateway_hours / hours - 1.0) * 100.0)
        }
        _ => format!("{:.1} gateway hours", theirs.gateway_hours),
    };
    let cut = if theirs.forced_closes >= 1.0 {
        format!(", {} viewers cut", short(theirs.forced_closes))
    } else {
        String::new()
    };
    format!(
        "{}: {cost}, {} viewer-seconds of waiting and overload{cut}.",
        contender.label(),
        short(theirs.penalty())
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn outcome(wait: f64, overload: f64, hours: f64) -> Outcome {
        Outcome {
            wait_viewer_s: wait,
            overload_viewer_s: overload,
            gateway_hours: hours,
            lower_bound_gateway_hours: 20.0,
            replicas_max: 51.0,
            ..Outcome::default()
        }
    }

    #[test]
    fn verdict_names_gateways_cost_overload_and_waiting() {
        let outcomes = BTreeMap::from([
            (Contender::Ours, outcome(19e6, 0.0, 28.0)),
            (Contender::Hpa, Outcome { forced_closes: 5_000.0, ..outcome(1e9, 1e6, 35.0) }),
        ]);
        let text =
            verdict(&TraceResult { trace: "t".into(), outcomes, timelines: BTreeMap::new() }).join(" ");
        assert!(
            text.starts_with("ours needs 51 gateways at most and 28.0 gateway hours, 1.40 times"),
            "{text}"
        );
        assert!(
            text.contains("waited 19.0 M viewer-seconds") && text.contains("no gateway was overloaded"),
            "{text}"
        );
        assert!(text.contains("hpa: +25 % gateway hours") && text.contains("5.0 k viewers cut"), "{text}");
    }

    #[test]
    fn verdict_says_when_no_viewer_waited_and_no_gateway_was_overloaded() {
        let outcomes = BTreeMap::from([(Contender::Oracle, outcome(0.0, 0.0, 20.0))]);
        let text =
            verdict(&TraceResult { trace: "t".into(), outcomes, timelines: BTreeMap::new() }).join(" ");
        assert!(text.ends_with("No viewer waited, and no gateway was overloaded."), "{text}");
    }
}
