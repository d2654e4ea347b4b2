//! Grafana dashboards and Prometheus rules of Barrage, as code.
//!
//! A dashboard is a value of [`grafana::Dashboard`] in one file of `boards`; an alert is a line of a
//! table in `rules`. [`files`] returns all generated files. The tests compare them with the files that
//! are checked in, and give every rule to `promtool`.

mod boards;
pub mod grafana;
pub mod rules;
mod written;

pub use boards::all as dashboards;
pub use written::{File, files};

/// Prefixes of the metrics that dashboards and rules use; other words of a query are no metrics.
const PREFIXES: [&str; 4] = ["barrage_", "process_", "cluster:barrage_", "ALERTS"];

/// Returns the names of the metrics in a query, in their order, repeats included.
#[must_use]
pub fn metric_names(expr: &str) -> Vec<String> {
    let mut names = Vec::new();
    // Every second part is between quotes.
    for outside in expr.split('"').step_by(2) {
        let words = outside.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
        let known = words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
        names.extend(known.map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_and_functions_are_no_metrics() {
        let expr =
            r#"sum by (le) (rate(barrage_a_bucket{le="barrage_b"}[5m])) / cluster:barrage_c:ratio_rate5m"#;
        assert_eq!(metric_names(expr), ["barrage_a_bucket", "cluster:barrage_c:ratio_rate5m"]);
    }
}
