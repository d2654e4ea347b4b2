//! Figures of a danmaku file, read from its text without the parser under test.

use std::collections::{HashMap, HashSet};

/// Figures of the danmaku of a file, the positioned ones included.
#[derive(Debug)]
pub(crate) struct Statistics {
    pub(crate) messages: usize,
    /// Seconds of the last message, rounded down.
    pub(crate) seconds: u64,
    /// Messages in the busiest second; windows begin at whole seconds.
    pub(crate) peak_1s: usize,
    /// Messages in the busiest 10 s; windows begin at multiples of 10 s.
    pub(crate) peak_10s: usize,
    pub(crate) senders: usize,
    /// Share of the senders with at most two messages.
    pub(crate) rare_senders: f64,
    /// Share of the messages that come from the most active sender.
    pub(crate) first_sender: f64,
    /// Share of the messages whose text an earlier one has.
    pub(crate) repeats: f64,
    /// Quantiles of the lengths in characters; positioned ones and drawings left aside.
    pub(crate) chars_p50: usize,
    pub(crate) chars_p95: usize,
    pub(crate) chars_max: usize,
    /// Number of messages of each mode.
    pub(crate) modes: HashMap<String, usize>,
    /// Numbers of `<gift>`, `<sc>` and `<guard>` elements.
    pub(crate) paid: [usize; 3],
}

struct Entry<'a> {
    fields: Vec<&'a str>,
    text: String,
}

/// Reads `<d p="...">text</d>` by plain search. Entries without seven fields are left out.
pub(crate) fn of(file: &str) -> Statistics {
    let entries: Vec<Entry<'_>> = file.split("<d p=\"").skip(1).filter_map(entry).collect();
    let texts: HashSet<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    let mut by_sender = HashMap::<&str, usize>::new();
    let mut modes = HashMap::<String, usize>::new();
    for entry in &entries {
        *by_sender.entry(entry.fields[6]).or_default() += 1;
        *modes.entry(entry.fields[1].to_owned()).or_default() += 1;
    }
    let secs: Vec<f64> = entries.iter().filter_map(|entry| entry.fields[0].parse().ok()).collect();
    let busiest = |window: f64| {
        let mut counts = HashMap::<u64, usize>::new();
        for at in &secs {
            *counts.entry((at / window) as u64).or_default() += 1;
        }
        counts.into_values().max().unwrap_or_default()
    };
    let mut chars: Vec<usize> = entries
        .iter()
        .filter(|entry| entry.fields[1] != "7" && entry.text.chars().count() <= 200)
        .map(|entry| entry.text.chars().count())
        .collect();
    chars.sort_unstable();
    let quantile = |q: f64| chars.get((chars.len() as f64 * q) as usize).copied().unwrap_or_default();
    let rare = by_sender.values().filter(|count| **count <= 2).count();
    let first = by_sender.values().max().copied().unwrap_or_default();
    Statistics {
        messages: entries.len(),
        seconds: secs.iter().fold(0.0_f64, |max, at| max.max(*at)) as u64,
        peak_1s: busiest(1.0),
        peak_10s: busiest(10.0),
        senders: by_sender.len(),
        rare_senders: rare as f64 / by_sender.len() as f64,
        first_sender: first as f64 / entries.len() as f64,
        repeats: 1.0 - texts.len() as f64 / entries.len() as f64,
        chars_p50: quantile(0.5),
        chars_p95: quantile(0.95),
        chars_max: chars.last().copied().unwrap_or_default(),
        modes,
        paid: ["<gift ", "<sc ", "<guard "].map(|tag| file.matches(tag).count()),
    }
}

fn entry(rest: &str) -> Option<Entry<'_>> {
    let (p, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = rest.split_once("</d>")?;
    let fields: Vec<_> = p.split(',').collect();
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    (fields.len() >= 7).then(|| Entry { fields, text: text.replace("&amp;", "&") })
}
