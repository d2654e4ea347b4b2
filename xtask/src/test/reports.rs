//! The reports of nextest, in JUnit's format.

use crate::run::root;

/// One test of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// Binary of the test, such as `barrage-bus::it`.
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
}
