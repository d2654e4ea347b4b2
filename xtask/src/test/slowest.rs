//! The slowest tests of a run, from nextest's reports.

use crate::run::{root, say};

/// Number of slowest tests that are printed.
const SHOWN: usize = 10;

/// Prints the slowest tests of the last run of each profile.
pub(super) fn print(profiles: &[&str]) -> anyhow::Result<()> {
    let mut tests = Vec::new();
    for profile in profiles {
        let report = root().join("target/nextest").join(profile).join("junit.xml");
        // A run that built nothing has no report.
        if let Ok(text) = std::fs::read_to_string(report) {
            tests.extend(times(&text));
        }
    }
    tests.sort_by(|a, b| b.0.total_cmp(&a.0));
    say("\nslowest tests")?;
    tests.iter().take(SHOWN).try_for_each(|(secs, name)| say(&format!("{secs:>8.1} s  {name}")))
}

/// Returns seconds and name of each test of a JUnit report.
fn times(report: &str) -> Vec<(f64, String)> {
    let of_case = |case: &str| {
        let end = case.find('>').unwrap_or(case.len());
        let attribute = |name: &str| {
            let value = case.get(..end)?.split_once(&format!("{name}=\""))?.1;
            value.split('"').next()
        };
        let name = format!("{} {}", attribute(" classname")?, attribute("name")?);
        Some((attribute(" time")?.parse().ok()?, name))
    };
    report.split("<testcase ").skip(1).filter_map(of_case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_report_are_read() {
        let report = r#"<testsuite name="x" time="9"><testcase name="a::b" classname="barrage-bus::it" timestamp="2026" time="1.250"></testcase><testcase name="c" classname="flow" time="0.1"/>"#;
        assert_eq!(times(report), [(1.25, "barrage-bus::it a::b".to_owned()), (0.1, "flow c".to_owned())]);
    }
}
