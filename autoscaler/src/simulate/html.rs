//! One HTML page with every plot; nothing is loaded from anywhere.

use std::fmt::Write as _;

use super::campaign::{Campaign, Result};
use super::contender::Contender;
use super::outcome::Outcome;
use super::plot::{Line, Plot, escape};
use super::table::short;
use super::timeline::{Point, Timeline};
use crate::tune::{Candidate, Tuned};

/// Marks of a plot at most; more would hide the lines.
const MARKS_MAX: usize = 60;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8883;--dim:#888}\
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}\
.wide{overflow-x:auto}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}\
th:first-child,td:first-child{text-align:left}tr.ours{font-weight:600}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:.5rem 1.5rem}\
figure{margin:.8rem 0}figcaption{font-weight:600;font-size:.9rem}\
.key{font-weight:400;margin-left:.8rem;white-space:nowrap}.key i{display:inline-block;width:.9em;height:.25em;margin-right:.35em;vertical-align:middle}\
svg{width:100%;height:auto}polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.grid{stroke:var(--line)}.mark{stroke:#c60a;stroke-width:1;stroke-dasharray:2 3}\
text{font-size:11px;fill:var(--dim)}.y,.name{text-anchor:end}.x{text-anchor:middle}\
summary{cursor:pointer}pre{overflow-x:auto}";

/// The page shell around a body.
#[must_use]
fn shell(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style><h1>{title}</h1>{body}</html>\n"
    )
}

/// The page of a campaign.
#[must_use]
pub fn page(campaign: &Campaign, results: &[Result]) -> String {
    let knee = &campaign.knee;
    let mut body = format!(
        "<p>Means of {} seeds. A gateway carries {} viewers, {} joins/s, {}. The plots show the first seed. \
         Overload is viewer-seconds on gateways beyond a knee, waiting is viewer-seconds without a gateway.</p>",
        campaign.seeds.len(),
        short(knee.connections),
        short(knee.joins_per_s),
        knee.egress_bytes_per_s.map_or("any egress".into(), |bytes| format!("{}B/s", short(bytes))),
    );
    for result in results {
        let _ = write!(body, "<h2>{}</h2>{}", escape(&result.trace), table(result));
        body.push_str(&plots(result));
    }
    let policy = serde_json::to_string_pretty(&campaign.policy).unwrap_or_default();
    let _ = write!(
        body,
        "<h2>Policy</h2><details><summary>All values</summary><pre>{}</pre></details>",
        escape(&policy)
    );
    shell("Autoscaler simulation", &body)
}

fn table(result: &Result) -> String {
    type Column = (&'static str, fn(&Outcome) -> String);
    let columns: [Column; 11] = [
        ("overload", |o| short(o.overload_viewer_s)),
        ("overload s", |o| short(o.overload_s)),
        ("waiting", |o| short(o.wait_viewer_s)),
        ("hours", |o| format!("{:.1}", o.gateway_hours)),
        ("× lower bound", |o| format!("{:.2}", o.gateway_hours / o.lower_bound_gateway_hours)),
        ("actions", |o| format!("{:.0}", o.scale_actions)),
        ("reversed", |o| format!("{:.1}", o.reversed_actions)),
        ("cut", |o| short(o.forced_closes)),
        ("moved", |o| short(o.paced_moves)),
        ("wrong victims", |o| format!("{:.0}", o.wrong_victims)),
        ("max use", |o| format!("{:.2}", o.utilization_max)),
    ];
    let mut html = String::from("<div class=wide><table><tr><th>policy");
    columns.iter().for_each(|(name, _)| html.push_str(&format!("<th>{name}")));
    for (contender, outcome) in &result.outcomes {
        let class = if *contender == Contender::Ours { " class=ours" } else { "" };
        let _ = write!(html, "<tr{class}><td>{}", contender.label());
        columns.iter().for_each(|(_, cell)| html.push_str(&format!("<td>{}", cell(outcome))));
    }
    html.push_str("</table></div>");
    html
}

const fn color(contender: Contender) -> &'static str {
    match contender {
        Contender::Ours => "#0a7d4f",
        Contender::OursPrewarm => "#7cc4a0",
        Contender::OursService => "#3b82c4",
        Contender::HpaEntry => "#d98a1f",
        Contender::Hpa => "#c0392b",
        Contender::Kpa => "#8e5bb5",
        Contender::Oracle => "#888888",
    }
}

fn plots(result: &Result) -> String {
    let mut plots = Vec::new();
    if let Some(ours) = result.timelines.get(&Contender::Ours).or_else(|| result.timelines.values().next()) {
        plots.push(crowd(ours));
    }
    type Kind = (&'static str, fn(&Point) -> f64);
    let kinds: [Kind; 4] = [
        ("Gateways asked for", |point| point.replicas),
        ("Viewers who wait", |point| point.waiting),
        ("Greatest utilisation", |point| point.utilization),
        ("Skew of connections", |point| point.skew),
    ];
    plots.extend(kinds.map(|(title, value)| compared(result, title, value)));
    format!("<div class=plots>{}</div>", plots.iter().map(Plot::svg).collect::<String>())
}

fn minutes(timeline: &Timeline, value: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
    timeline.points.iter().map(|point| (point.at_secs / 60.0, value(point))).collect()
}

/// Viewers against what can carry them, with what was done.
fn crowd(ours: &Timeline) -> Plot {
    let line = |name: &str, color, value: fn(&Point) -> f64| Line {
        name: name.into(),
        color,
        points: minutes(ours, value),
        dots: false,
    };
    let every = ours.events.len().div_ceil(MARKS_MAX).max(1);
    let marks = ours.events.iter().step_by(every);
    Plot {
        title: "Viewers and capacity".into(),
        x_name: "minutes",
        lines: vec![
            line("forecast", "#d98a1f", |point| point.forecast),
            line("capacity", "#3b82c4", |point| point.capacity),
            line("viewers", "#0a7d4f", |point| point.viewers),
        ],
        marks: marks.map(|event| (event.at_secs / 60.0, event.what.clone())).collect(),
    }
}

fn compared(result: &Result, title: &str, value: fn(&Point) -> f64) -> Plot {
    let mut lines: Vec<Line> = result
        .timelines
        .iter()
        .rev()
        .map(|(contender, timeline)| Line {
            name: contender.label().into(),
            color: color(*contender),
            points: minutes(timeline, value),
            dots: false,
        })
        .collect();
    if title.starts_with("Gateways")
        && let Some(timeline) = result.timelines.values().next()
    {
        let points = minutes(timeline, |point| point.needed);
        lines.insert(0, Line { name: "needed".into(), color: "#bbbbbb", points, dots: false });
    }
    Plot { title: title.into(), x_name: "minutes", lines, marks: Vec::new() }
}

/// The page of a search: what suffering costs how much.
#[must_use]
pub fn trade_off(tuned: &Tuned, policy: &str) -> String {
    let point = |candidate: &Candidate| (candidate.gateway_hours, candidate.pain);
    let dots = |name: &str, color, points| Line { name: name.into(), color, points, dots: true };
    let plot = Plot {
        title: "Overload and waiting (viewer-seconds) against gateway hours".into(),
        x_name: "gateway hours",
        lines: vec![
            dots("tried", "#8888aa", tuned.candidates.iter().map(point).collect()),
            dots("before", "#d98a1f", tuned.candidates.first().map(point).into_iter().collect()),
            dots("chosen", "#0a7d4f", vec![point(&tuned.candidates[tuned.best])]),
        ],
        marks: Vec::new(),
    };
    let body = format!("{}<h2>Chosen policy</h2><pre>{}</pre>", plot.svg(), escape(policy));
    shell("Autoscaler tuning", &body)
}
