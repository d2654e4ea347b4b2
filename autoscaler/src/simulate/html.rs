//! One HTML page with every plot; nothing is loaded from anywhere.

use std::fmt::Write as _;

use super::campaign::{Campaign, Result};
use super::contender::Contender;
use super::outcome::Outcome;
use super::plot::{Line, Plot, escape};
use super::table::short;
use super::timeline::{Point, Timeline};
use super::verdict::verdict;
use crate::tune::{Candidate, Tuned};

/// Words of the tables and plots.
const WORDS: [(&str, &str); 9] = [
    ("overload", "viewer-seconds on gateways beyond a knee, and the seconds in which any gateway was"),
    ("waiting", "viewer-seconds without a gateway, beyond the first second"),
    ("× lower bound", "gateway hours against the least that can carry the crowd, every gateway at its knee"),
    ("reversed", "changes of the fleet in the other direction within ten minutes"),
    (
        "cut, moved",
        "viewers whose connection a scale-in cut; viewers that went to another gateway without a gap",
    ),
    ("wrong victims", "gateways that were deleted though others had been chosen and drained"),
    ("max use", "the greatest utilisation of any gateway; 1 is its knee"),
    ("needed", "gateways that a fleet without start times would do with"),
    ("vertical lines", "actions of the policy; the pointer over one shows which"),
];

/// Marks of a plot at most; more would hide the lines.
const MARKS_MAX: usize = 60;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8883;--dim:light-dark(#555,#aaa)}\
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}\
.wide{overflow-x:auto}th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{white-space:normal;vertical-align:bottom}\
th:first-child,td:first-child{text-align:left}tr.ours{font-weight:600}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:.5rem 1.5rem}\
figure{margin:.8rem 0}figcaption{font-weight:600;font-size:.9rem}\
.key{font-weight:400;margin-left:.8rem;white-space:nowrap}.key i{display:inline-block;width:.9em;height:.25em;margin-right:.35em;vertical-align:middle}\
svg{width:100%;height:auto}polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.grid{stroke:var(--line)}.mark{stroke:#c60a;stroke-width:1;stroke-dasharray:2 3}\
text{font-size:13px;fill:var(--dim)}.y,.name{text-anchor:end}.x{text-anchor:middle}\
summary{cursor:pointer}pre{overflow-x:auto}\
.swatch{width:30px;height:6px;margin-right:.5em;vertical-align:middle;display:inline-block}\
.words{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}dd{margin:0}\
.key .swatch{width:22px}\
@media(max-width:560px){text{font-size:21px}.words{grid-template-columns:1fr}dd{margin:0 0 .5rem}}";

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
        "<p>{}. A gateway carries {} viewers, {} joins/s, {}. The plots show the first seed. \
         Overload is viewer-seconds on gateways beyond a knee, waiting is viewer-seconds without a gateway.</p>",
        if campaign.seeds.len() == 1 {
            "One seed".to_owned()
        } else {
            format!("Means of {} seeds", campaign.seeds.len())
        },
        short(knee.connections),
        short(knee.joins_per_s),
        knee.egress_bytes_per_s.map_or("any egress".into(), |bytes| format!("{}B/s", short(bytes))),
    );
    body.push_str(&policies(&campaign.contenders));
    for result in results {
        let _ = write!(body, "<h2>{}</h2>{}{}", escape(&result.trace), sentences(result), table(result));
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

/// The verdict: the first policy, then a list of the others beside it.
fn sentences(result: &Result) -> String {
    let verdict = verdict(result);
    let Some((first, others)) = verdict.split_first() else { return String::new() };
    let items: String = others.iter().map(|other| format!("<li>{}", escape(other))).collect();
    format!("<p>{}</p><ul>{items}</ul>", escape(first))
}

/// The policies with their colours, and the words of the tables.
fn policies(contenders: &[Contender]) -> String {
    let mut html = String::from("<h2>Policies</h2><dl class=words>");
    for contender in contenders {
        let _ = write!(html, "<dt>{}{}<dd>{}", key(*contender), contender.label(), escape(contender.about()));
    }
    html.push_str("</dl><details><summary>Words of the tables and plots</summary><dl class=words>");
    for (word, meaning) in WORDS {
        let _ = write!(html, "<dt>{word}<dd>{meaning}");
    }
    html.push_str("</dl></details>");
    html
}

/// The colour and dashes of a policy's line.
fn key(contender: Contender) -> String {
    let (color, dash) = (color(contender), dash(contender));
    format!(
        "<svg class=swatch viewBox=\"0 0 30 6\"><path d=\"M0 3H30\" stroke=\"{color}\" stroke-width=3 \
         stroke-dasharray=\"{dash}\"/></svg>"
    )
}

fn table(result: &Result) -> String {
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
    let mut html = String::from("<div class=wide><table><tr><th>policy");
    columns.iter().for_each(|(name, _)| html.push_str(&format!("<th>{name}")));
    for (contender, outcome) in &result.outcomes {
        let class = if *contender == Contender::Ours { " class=ours" } else { "" };
        let about = escape(contender.about());
        let _ = write!(html, "<tr{class}><td title=\"{about}\">{}{}", key(*contender), contender.label());
        columns.iter().for_each(|(_, cell)| html.push_str(&format!("<td>{}", cell(outcome))));
    }
    html.push_str("</table></div>");
    html
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

/// Dashes of a policy's line: colours alone do not tell seven lines apart. Empty is solid.
const fn dash(contender: Contender) -> &'static str {
    match contender {
        Contender::Ours | Contender::Hpa => "",
        Contender::OursPrewarm | Contender::HpaEntry => "7 3",
        Contender::OursService | Contender::Kpa => "2 3",
        Contender::Oracle => "9 3 2 3",
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
        dash: if name == "forecast" { "2 3" } else { "" },
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
            dash: dash(*contender),
            dots: false,
        })
        .collect();
    if title.starts_with("Gateways")
        && let Some(timeline) = result.timelines.values().next()
    {
        let points = minutes(timeline, |point| point.needed);
        lines.insert(0, Line { name: "needed".into(), color: "#999999", points, dash: "1 2", dots: false });
    }
    Plot { title: title.into(), x_name: "minutes", lines, marks: Vec::new() }
}

/// The page of a search: what suffering costs how much.
#[must_use]
pub fn trade_off(tuned: &Tuned, policy: &str) -> String {
    let point = |candidate: &Candidate| (candidate.gateway_hours, candidate.pain);
    let dots = |name: &str, color, points| Line { name: name.into(), color, points, dash: "", dots: true };
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
