//! Writes metrics in either format. `le` has the same text in both, with a decimal point (`1.0`), as
//! OpenMetrics wants it: a rule that names a bucket holds for every scraper.

use std::fmt::Write;

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::exemplar::{Exemplar, Exemplars};
use crate::format::Format;

/// Suffix of a counter's samples, which OpenMetrics has not in the metric's name.
const TOTAL: &str = "_total";
/// Units that a metric's name may end with, before `_total`.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Writes counters, gauges and histograms. Metrics of other types are left out; the project has none.
pub(crate) fn encode(families: &[MetricFamily], exemplars: &Exemplars, format: Format) -> String {
    let mut out = String::new();
    for family in families {
        encode_family(&mut out, family, exemplars, format);
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn encode_family(out: &mut String, family: &MetricFamily, exemplars: &Exemplars, format: Format) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    let name = family.name();
    let is_open = format == Format::OpenMetrics;
    let named = if is_open && kind == "counter" { name.strip_suffix(TOTAL).unwrap_or(name) } else { name };
    header(out, "HELP", named, &escaped(family.help(), if is_open { Quotes::Escaped } else { Quotes::Kept }));
    header(out, "TYPE", named, kind);
    let unit = UNITS.into_iter().find(|unit| named.rsplit('_').next() == Some(unit));
    if let Some(unit) = unit.filter(|_| is_open) {
        header(out, "UNIT", named, unit);
    }
    for metric in family.get_metric() {
        match family.get_field_type() {
            MetricType::HISTOGRAM => {
                let exemplars = if is_open { exemplars.of(name, metric) } else { None };
                histogram(out, name, metric, exemplars.as_deref().unwrap_or_default());
            }
            MetricType::COUNTER if is_open => {
                sample(out, named, TOTAL, metric, None, metric.get_counter().get_value());
                out.push('\n');
            }
            MetricType::COUNTER => {
                sample(out, name, "", metric, None, metric.get_counter().get_value());
                out.push('\n');
            }
            MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => {
                sample(out, name, "", metric, None, metric.get_gauge().get_value());
                out.push('\n');
            }
        }
    }
}

fn header(out: &mut String, keyword: &str, name: &str, text: &str) {
    for part in ["# ", keyword, " ", name, " ", text, "\n"] {
        out.push_str(part);
    }
}

/// Writes the buckets of a histogram, each with its exemplar, and its sum and count.
fn histogram(out: &mut String, name: &str, metric: &Metric, exemplars: &[Option<Exemplar>]) {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count();
    let bounded = histogram.get_bucket().iter().map(|it| (it.upper_bound(), it.cumulative_count()));
    let bounded = bounded.filter(|(bound, _)| bound.is_finite());
    for (at, (bound, within)) in bounded.chain([(f64::INFINITY, count)]).enumerate() {
        sample(out, name, "_bucket", metric, Some(bound), within as f64);
        if let Some(Some(Exemplar { trace_id, value, at_ms })) = exemplars.get(at) {
            let at_secs = *at_ms as f64 / 1_000.0;
            write_infallibly(out, format_args!(" # {{trace_id=\"{trace_id:032x}\"}} {value} {at_secs:.3}"));
        }
        out.push('\n');
    }
    sample(out, name, "_sum", metric, None, histogram.get_sample_sum());
    out.push('\n');
    sample(out, name, "_count", metric, None, count as f64);
    out.push('\n');
}

/// Writes a sample without the end of its line.
fn sample(out: &mut String, name: &str, suffix: &str, metric: &Metric, le: Option<f64>, value: f64) {
    out.push_str(name);
    out.push_str(suffix);
    let mut separator = '{';
    for label in metric.get_label() {
        let value = escaped(label.value(), Quotes::Escaped);
        write_infallibly(out, format_args!("{separator}{}=\"{value}\"", label.name()));
        separator = ',';
    }
    if let Some(le) = le {
        write_infallibly(out, format_args!("{separator}le=\"{}\"", bound(le)));
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    write_infallibly(out, format_args!(" {}", number(value)));
}

fn write_infallibly(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all text");
}

/// Returns the upper end of a bucket, with a decimal point.
fn bound(le: f64) -> String {
    if le.is_infinite() { "+Inf".into() } else { format!("{le:?}") }
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        value => value.to_string(),
    }
}

/// Whether a double quote ends a text, so that it needs a backslash inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Escaped,
    Kept,
}

fn escaped(text: &str, quotes: Quotes) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    if quotes == Quotes::Escaped { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

    use super::*;
    use crate::TracedHistogram;

    fn registry() -> (Registry, Exemplars) {
        let registry = Registry::new();
        let sent = Opts::new("sent_bytes_total", "Bytes \"sent\".");
        let sent = IntCounterVec::new(sent, &["to"]).unwrap();
        sent.with_label_values(&["a \"b\"\\\n"]).inc_by(7);
        let bounds = [0.1, 1.0];
        let opts = HistogramOpts::new("wait_seconds", "Wait.").buckets(bounds.to_vec());
        let histogram = Histogram::with_opts(opts).unwrap();
        registry.register(Box::new(sent)).unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        registry.register(Box::new(IntGauge::new("viewers", "Viewers.").unwrap())).unwrap();
        let (exemplars, traced) = (Exemplars::default(), TracedHistogram::new(histogram, &bounds));
        traced.show_in(&exemplars, "wait_seconds", &[]);
        traced.observe(0.5, None);
        traced.observe(3.0, Some(0xabc));
        (registry, exemplars)
    }

    #[test]
    fn text_is_that_of_the_prometheus_crate_but_for_the_bounds() {
        let (registry, exemplars) = registry();
        let families = registry.gather();
        let expected = TextEncoder::new().encode_to_string(&families).unwrap();
        let expected = expected.replace("le=\"1\"", "le=\"1.0\"");
        assert_eq!(encode(&families, &exemplars, Format::Text), expected);
    }

    #[test]
    fn open_metrics_has_units_exemplars_and_an_end() {
        let (registry, exemplars) = registry();
        let answer = encode(&registry.gather(), &exemplars, Format::OpenMetrics);
        let (before, after) = answer.split_once(" 3 ").unwrap();
        let (at, after) = after.split_once('\n').unwrap();
        assert!(at.parse::<f64>().unwrap() > 1.7e9, "{at}");
        let expected = r#"# HELP sent_bytes Bytes \"sent\".
# TYPE sent_bytes counter
# UNIT sent_bytes bytes
sent_bytes_total{to="a \"b\"\\\n"} 7
# HELP viewers Viewers.
# TYPE viewers gauge
viewers 0
# HELP wait_seconds Wait.
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="0.1"} 0
wait_seconds_bucket{le="1.0"} 1
wait_seconds_bucket{le="+Inf"} 2 # {trace_id="00000000000000000000000000000abc"}"#;
        assert_eq!(before, expected);
        assert_eq!(after, "wait_seconds_sum 3.5\nwait_seconds_count 2\n# EOF\n");
    }
}
