//! Results as one page with tables and plots; the page loads nothing.

use barrage_plot::{Dash, Line, Mark, Plot, Shape, XAxis, page};
use maud::{Markup, html};

use super::table::short;
use super::verdict::verdict;
use crate::contenders::Contender;
use crate::run::{Campaign, Outcome, Point, Timeline, TraceResult};
use crate::tune::{Candidate, Tuned};

/// Terms of the tables and plots, with their definitions.
const TERMS: [(&str, &str); 9] = [
    ("overload", "viewer-seconds on gateways beyond a knee, and the seconds in which any gateway was"),
    ("waiting", "viewer-seconds without a gateway, beyond the first second"),
    (
        "× lower bound",
        "gateway hours divided by the least that can carry the viewers, every gateway at its knee",
    ),
    ("reversed", "changes of the fleet in the other direction within ten minutes"),
    (
        "cut, moved",
        "viewers whose connection a scale-in closed; viewers that moved to another gateway without a gap",
    ),
    ("wrong victims", "gateways that were deleted although others had been chosen and drained"),
    ("max use", "the greatest utilisation of any gateway; 1 is its knee"),
    ("needed", "gateways that a fleet without start times would need"),
    ("vertical lines", "actions of the policy; a pointer over one shows its text"),
];

/// Most marks in a plot; more would hide the lines.
const MARKS_MAX: usize = 60;

const STYLE: &str = "\
.terms { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; font-size: 14px } dd { margin: 0 }
tr.ours { font-weight: 600 }
@media (max-width: 560px) { .terms { grid-template-columns: 1fr } dd { margin: 0 0 8px } }
";

/// Returns the HTML page with the tables and plots of a campaign.
#[must_use]
pub fn campaign_page(campaign: &Campaign, results: &[TraceResult]) -> String {
    let knee = &campaign.knee;
    let seeds = match campaign.seeds.len() {
        1 => "One seed".to_owned(),
        many => format!("Means of {many} seeds"),
    };
    let egress = knee.egress_bytes_per_s.map_or("any egress".into(), |bytes| format!("{}B/s", short(bytes)));
    let body = html! {
        h1 { "Autoscaler simulation" }
        p {
            (seeds) ". A gateway carries " (short(knee.connections)) " viewers, " (short(knee.joins_per_s))
            " joins/s, " (egress) ". The plots show the first seed. Overload is viewer-seconds on gateways \
            beyond a knee, waiting is viewer-seconds without a gateway."
        }
        (policies(&campaign.contenders))
        @for result in results {
            h2 { (result.trace) }
            (sentences(result))
            (table(result))
            div.plots { @for plot in plots(result) { (plot.draw(plot.extent())) } }
        }
        h2 { "Policy" }
        details {
            summary { "All values" }
            pre { (serde_json::to_string_pretty(&campaign.policy).unwrap_or_default()) }
        }
    };
    page("Autoscaler simulation", STYLE, &body)
}

/// Returns the page of a search: overload and waiting against cost.
#[must_use]
pub fn tuning_page(tuned: &Tuned, policy: &str) -> String {
    let dots = |name: &str, color, candidates: &[Candidate]| {
        let point = |it: &Candidate| (it.gateway_hours, Some(it.penalty));
        Line::new(name, candidates.iter().map(point)).color(color).shape(Shape::Dots)
    };
    let best = &tuned.candidates[tuned.best];
    let plot = Plot::new(
        "Overload and waiting (viewer-seconds) against gateway hours",
        XAxis::Quantity("gateway hours"),
        number,
        vec![
            dots("chosen", "var(--c3)", std::slice::from_ref(best)),
            dots("before", "var(--c1)", &tuned.candidates[..1]),
            dots("tried", "var(--dim)", &tuned.candidates),
        ],
    );
    let body = html! {
        h1 { "Autoscaler tuning" }
        @if let Some(plot) = plot { (plot.draw(plot.extent())) }
        h2 { "Chosen policy" }
        pre { (policy) }
    };
    page("Autoscaler tuning", STYLE, &body)
}

/// The verdict: the first policy, then a list of the others compared with it.
fn sentences(result: &TraceResult) -> Markup {
    let verdict = verdict(result);
    html! {
        @if let Some((first, others)) = verdict.split_first() {
            p { (first) }
            ul { @for other in others { li { (other) } } }
        }
    }
}

/// The policies with the colours of their lines, and the terms of the tables.
fn policies(contenders: &[Contender]) -> Markup {
    html! {
        h2 { "Policies" }
        dl.terms { @for contender in contenders {
            dt { (key(*contender)) (contender.label()) } dd { (contender.about()) }
        } }
        details {
            summary { "Terms of the tables and plots" }
            dl.terms { @for (term, meaning) in TERMS { dt { (term) } dd { (meaning) } } }
        }
    }
}

fn key(contender: Contender) -> Markup {
    html! { span.key { i style={ "background:" (color(contender)) } {} } }
}

fn table(result: &TraceResult) -> Markup {
    type Column = (&'static str, fn(&Outcome) -> String);
    let columns: [Column; 11] = [
        ("overload, viewer-s", |o| short(o.overload_viewer_s)),
        ("overload, s", |o| short(o.overload_s)),
        ("waiting, viewer-s", |o| short(o.wait_viewer_s)),
        ("gateway hours", |o| format!("{:.1}", o.gateway_hours)),
        ("× lower bound", |o| format!("{:.2}", o.gateway_hours / o.lower_bound_gateway_hours)),
        ("actions", |o| format!("{:.0}", o.scale_actions)),
        ("reversed", |o| format!("{:.1}", o.reversed_actions)),
        ("cut", |o| short(o.forced_closes)),
        ("moved", |o| short(o.paced_moves)),
        ("wrong victims", |o| format!("{:.0}", o.wrong_victims)),
        ("max use", |o| format!("{:.2}", o.utilization_max)),
    ];
    html! {
        div.wide { table {
            tr { th { "policy" } @for (name, _) in columns { th.n { (name) } } }
            @for (contender, outcome) in &result.outcomes {
                tr.ours[*contender == Contender::Ours] {
                    td title=(contender.about()) { (key(*contender)) (contender.label()) }
                    @for (_, cell) in columns { td.n { (cell(outcome)) } }
                }
            }
        } }
    }
}

const fn color(contender: Contender) -> &'static str {
    match contender {
        Contender::Ours => "#0a9d5f",
        Contender::OursPrewarm => "#14b8c4",
        Contender::OursService => "#3b72e4",
        Contender::HpaEntry => "#d98a1f",
        Contender::Hpa => "#dc3a2b",
        Contender::Kpa => "#a05bd5",
        Contender::Oracle => "#888888",
    }
}

const fn dash(contender: Contender) -> Dash {
    match contender {
        Contender::Ours | Contender::Hpa => Dash::Solid,
        Contender::OursPrewarm | Contender::HpaEntry => Dash::Dashed,
        Contender::OursService | Contender::Kpa => Dash::Dotted,
        Contender::Oracle => Dash::DashDot,
    }
}

fn plots(result: &TraceResult) -> Vec<Plot> {
    type Kind = (&'static str, fn(&Point) -> f64);
    let kinds: [Kind; 4] = [
        ("Gateways asked for", |point| point.replicas),
        ("Viewers who wait", |point| point.waiting),
        ("Greatest utilisation", |point| point.utilization),
        ("Skew of connections", |point| point.skew),
    ];
    let ours = result.timelines.get(&Contender::Ours).or_else(|| result.timelines.values().next());
    let compared = kinds.into_iter().map(|(title, value)| compared(result, title, value));
    std::iter::once(ours.and_then(capacity)).chain(compared).flatten().collect()
}

fn line(name: &str, timeline: &Timeline, value: fn(&Point) -> f64) -> Line {
    Line::new(name, timeline.points.iter().map(|point| (point.at_secs / 60.0, Some(value(point)))))
}

/// Viewers and the viewers that the fleet can carry, with the policy's actions.
fn capacity(timeline: &Timeline) -> Option<Plot> {
    let every = timeline.events.len().div_ceil(MARKS_MAX).max(1);
    let events = timeline.events.iter().step_by(every);
    let lines = vec![
        line("viewers", timeline, |point| point.viewers).color("#0a7d4f"),
        line("capacity", timeline, |point| point.capacity).color("#3b82c4"),
        line("forecast", timeline, |point| point.forecast).color("#d98a1f").dash(Dash::Dotted),
    ];
    let marks = events.map(|event| Mark { at: event.at_secs / 60.0, text: event.text.clone() });
    Some(Plot::new("Viewers and capacity", XAxis::Minutes, number, lines)?.marks(marks.collect()))
}

fn compared(result: &TraceResult, title: &str, value: fn(&Point) -> f64) -> Option<Plot> {
    let policy = |(contender, timeline): (&Contender, &Timeline)| {
        line(contender.label(), timeline, value).color(color(*contender)).dash(dash(*contender))
    };
    let mut lines: Vec<Line> = result.timelines.iter().map(policy).collect();
    if title.starts_with("Gateways")
        && let Some(timeline) = result.timelines.values().next()
    {
        lines.push(line("needed", timeline, |point| point.needed).color("#999999").dash(Dash::Dotted));
    }
    Plot::new(title, XAxis::Minutes, number, lines)
}

/// Formats a value of a y axis.
fn number(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", trim(value / 1e6)),
        _ if value >= 1e3 => format!("{} k", trim(value / 1e3)),
        _ => trim(value),
    }
}

fn trim(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use barrage_scaling::{Knee, PolicyConfig};

    use super::*;
    use crate::input::{Curve, Trace, built_in};
    use crate::run::run_all;

    #[test]
    fn numbers_of_an_axis_are_short() {
        assert_eq!([0.0, 0.25, 950.0, 1_500.0, 2.4e6].map(number), ["0", "0.25", "950", "1.5 k", "2.4 M"]);
    }

    #[test]
    fn page_contains_every_trace_and_contender_and_loads_nothing() {
        let mut short = built_in("celebrity").unwrap();
        short.viewers = Curve::new(vec![(0.0, 1e5), (120.0, 3e5)]);
        let campaign = Campaign {
            traces: vec![short.clone(), Trace { name: "<other>".into(), ..short }],
            contenders: vec![Contender::Ours, Contender::Hpa],
            seeds: vec![1, 2],
            knee: Knee {
                connections: 50_000.0,
                joins_per_s: 1_500.0,
                egress_bytes_per_s: Some(200e6),
                ..Knee::default()
            },
            policy: PolicyConfig::default(),
        };
        let done = std::sync::atomic::AtomicUsize::new(0);
        let count = || {
            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        let results = run_all(&campaign, 2, &count);
        assert_eq!(done.into_inner(), campaign.runs());
        let page = campaign_page(&campaign, &results);
        for text in ["celebrity", "&lt;other&gt;", "hpa", "<svg", "target_utilization"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("NaN"));
        let text = crate::report::table(&results[0]);
        assert!(text.contains("ours") && text.contains("lower bound"));
    }
}
