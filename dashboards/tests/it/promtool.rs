//! Prometheus' own tool accepts the rules, and runs their tests.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use barrage_dashboards::rules;
use serde_json::json;

/// Runs `promtool` in a folder, and panics with its output when it fails.
fn run(folder: &Path, arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("promtool (Debian: prometheus; `cargo xtask setup` installs it)");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "promtool {}:\n{text}", arguments.join(" "));
}

/// One test for promtool: series, and whether an alert fires at a time.
pub(crate) struct Test {
    pub(crate) alert: &'static str,
    /// Names with labels, and values in promtool's notation.
    pub(crate) series: Vec<(&'static str, &'static str)>,
    /// Matchers of the alert beside its name, time, and whether the alert fires then.
    pub(crate) expected: Vec<(&'static str, &'static str, bool)>,
}

/// Runs tests with one sample and one evaluation in each interval. Each group of rules runs alone, so
/// that promtool does not evaluate all others in each test.
pub(crate) fn test(interval: &str, tests: &[Test]) {
    let mut ran = 0;
    for group in rules::groups() {
        let is_of_group = |test: &&Test| group.alerts.iter().any(|alert| alert.name == test.alert);
        let tests: Vec<_> = tests.iter().filter(is_of_group).collect();
        if tests.is_empty() {
            continue;
        }
        ran += tests.len();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("barrage.yaml"), rules::yaml(&[group])).unwrap();
        std::fs::write(folder.path().join("tests.yaml"), yaml(interval, &tests)).unwrap();
        run(folder.path(), &["test", "rules", "tests.yaml"]);
    }
    assert_eq!(ran, tests.len(), "a test is about no alert");
}

fn yaml(interval: &str, tests: &[&Test]) -> String {
    let mut text = format!("rule_files: [barrage.yaml]\nevaluation_interval: {interval}\ntests:\n");
    for test in tests {
        writeln!(text, "  - name: {}\n    interval: {interval}\n    input_series:", test.alert).unwrap();
        for (series, values) in &test.series {
            writeln!(text, "      - {{ series: {}, values: {} }}", json!(series), json!(values)).unwrap();
        }
        writeln!(text, "    promql_expr_test:").unwrap();
        for (matchers, at, fires) in &test.expected {
            let selector = format!("alertname=\"{}\",alertstate=\"firing\",{matchers}", test.alert);
            let expr = json!(format!("sgn(count(ALERTS{{{selector}}})) or vector(0)"));
            let sample = format!("{{ labels: '{{}}', value: {} }}", u8::from(*fires));
            writeln!(text, "      - {{ expr: {expr}, eval_time: {at}, exp_samples: [{sample}] }}").unwrap();
        }
    }
    text
}

#[test]
fn promtool_accepts_the_rules() {
    run(&crate::root(), &["check", "rules", "dashboards/rules/barrage.yaml"]);
}
