//! Metrics with their series, and their text in Prometheus' format or in OpenMetrics.

use std::fmt::Write;

use barrage_exposition::Format;

/// First part of the name of each metric.
pub(super) const PREFIX: &str = "barrage_loadtest_";
const MEMORY: &str = "a String takes any text";

/// One metric with all its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Last part of the name, which `barrage_loadtest_` comes before.
    pub name: &'static str,
    /// Kind in Prometheus' words: `gauge`, `counter` or `histogram`.
    pub kind: &'static str,
    /// Sentence that says what is counted.
    pub help: &'static str,
    /// Values by their labels.
    pub series: Vec<Series>,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Last part of the name, as `_bucket`; empty outside histograms.
    pub suffix: &'static str,
    /// Labels with their values, in the order of their names.
    pub labels: Vec<(&'static str, String)>,
    /// Value now; the count so far of a counter.
    pub value: f64,
}

impl Series {
    /// Returns the value of a metric without labels.
    pub(super) fn plain(value: f64) -> Self {
        Series { suffix: "", labels: Vec::new(), value }
    }

    /// Returns one of the values of a metric with one label.
    pub(super) fn labelled(label: &'static str, name: &str, value: f64) -> Self {
        Series { suffix: "", labels: vec![(label, name.to_owned())], value }
    }
}

/// Returns metrics as text in a format.
#[must_use]
pub(super) fn text(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        head(&mut text, format, family);
        for Series { suffix, labels, value } in &family.series {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(text, "{PREFIX}{}{suffix}{labels} {value}", family.name).expect(MEMORY);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// Writes the lines before the samples of a metric. In OpenMetrics the name of a counter has no `_total`.
fn head(text: &mut String, format: Format, family: &Family) {
    let is_open = format == Format::OpenMetrics;
    let name = family.name;
    let name = if is_open { name.strip_suffix("_total").unwrap_or(name) } else { name };
    writeln!(text, "# HELP {PREFIX}{name} {}\n# TYPE {PREFIX}{name} {}", family.help, family.kind)
        .expect(MEMORY);
    for unit in ["seconds", "bytes"] {
        if is_open && name.rsplit('_').next() == Some(unit) {
            writeln!(text, "# UNIT {PREFIX}{name} {unit}").expect(MEMORY);
        }
    }
}
