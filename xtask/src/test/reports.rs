//! The reports of nextest, in JUnit's format, and of the browser's tests, in lines of JSON.

use serde_json::Value;

use crate::run::root;

/// One test of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// Binary of the test, such as `barrage-bus::it`; file of a test in the browser, such as `e2e/axe.test.mjs`.
    pub(super) binary: String,
    pub(super) name: String,
    pub(super) secs: f64,
    pub(super) failed: bool,
}

/// Returns the tests of the last run of a profile: none when the run built nothing.
pub(super) fn cases(profile: &str) -> Vec<Case> {
    let report = root().join("target/nextest").join(profile).join("junit.xml");
    std::fs::read_to_string(report).map(|text| parse(&text)).unwrap_or_default()
}

/// Returns the tests of the last run in a browser: none when the run did not begin.
pub(super) fn browser_cases() -> Vec<Case> {
    let report = root().join("target/browser-tests.ndjson");
    std::fs::read_to_string(report).map(|text| parse_browser(&text)).unwrap_or_default()
}

/// Removes the report of an earlier run in a browser, so that nobody reads it as that of the next one.
pub(super) fn forget_browser() {
    drop(std::fs::remove_file(root().join("target/browser-tests.ndjson")));
}

fn parse_browser(report: &str) -> Vec<Case> {
    let of_line = |line: &str| {
        let test: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| test[name].as_str().map(str::to_owned);
        let (secs, failed) = (test["secs"].as_f64()?, test["failed"].as_bool()?);
        Some(Case { binary: text("file")?, name: text("name")?, secs, failed })
    };
    report.lines().filter_map(of_line).collect()
}

fn parse(report: &str) -> Vec<Case> {
    let of_case = |case: &str| {
        let end = case.find('>').unwrap_or(case.len());
        let attribute = |name: &str| {
            let value = case.get(..end)?.split_once(&format!("{name}=\""))?.1;
            value.split('"').next()
        };
        // What a test prints is escaped in a report, so only an element begins with a bracket.
        let failed = case.contains("<failure") || case.contains("<error");
        let (binary, name) = (attribute(" classname")?.to_owned(), attribute("name")?.to_owned());
        Some(Case { binary, name, secs: attribute(" time")?.parse().ok()?, failed })
    };
    report.split("<testcase ").skip(1).filter_map(of_case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_a_report_are_read() {
        let report = r#"<testsuite name="x" time="9"><testcase name="a::b" classname="barrage-bus::it" timestamp="2026" time="1.250"><failure message="no"/></testcase><testcase name="c" classname="flow" time="0.1"><system-out>a &lt;failure&gt;</system-out></testcase></testsuite>"#;
        let case = |binary: &str, name: &str, secs, failed| Case {
            binary: binary.to_owned(),
            name: name.to_owned(),
            secs,
            failed,
        };
        assert_eq!(
            parse(report),
            [case("barrage-bus::it", "a::b", 1.25, true), case("flow", "c", 0.1, false)]
        );
    }
    #[test]
    fn tests_in_a_browser_are_read_and_a_broken_line_is_skipped() {
        let report =
            "{\"file\":\"e2e/a.test.mjs\",\"name\":\"one\",\"secs\":1.5,\"failed\":true}\n{\"file\":\"e2e/b";
        let (binary, name) = ("e2e/a.test.mjs".to_owned(), "one".to_owned());
        assert_eq!(parse_browser(report), [Case { binary, name, secs: 1.5, failed: true }]);
    }
}
