//! The JUnit report of a run: each threshold is a test, and so is the validity of the run.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::measure::figure::unit_of;
use crate::report::{Checked, Verdict};

/// What a JUnit report says of a run.
#[derive(Debug, Clone, Copy)]
pub struct JunitRun<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Verdict on the run.
    pub verdict: &'a Verdict,
    /// Thresholds with their measured values.
    pub thresholds: &'a [Checked],
    /// Length of the run in seconds.
    pub secs: f64,
    /// Start in seconds of Unix time.
    pub started_unix_secs: u64,
    /// Summary of the run as the terminal has it.
    pub summary: &'a str,
}

/// Name of the test that says whether the figures count.
const VALID: &str = "the run is valid";

/// Returns the report as XML.
#[must_use]
pub fn junit(run: &JunitRun<'_>) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    written(&mut writer, run).expect("writing to memory cannot fail");
    let mut text = String::from_utf8(writer.into_inner()).expect("XML of strings is text");
    text.push('\n');
    text
}

fn written(writer: &mut Writer<Vec<u8>>, run: &JunitRun<'_>) -> std::io::Result<()> {
    let because = run.verdict.because();
    let broken = run.thresholds.iter().filter(|checked| !checked.holds).count();
    let (failures, skipped) = if because.is_some() { (0, run.thresholds.len()) } else { (broken, 0) };
    let counts = [
        ("tests", (run.thresholds.len() + 1).to_string()),
        ("failures", failures.to_string()),
        ("errors", usize::from(because.is_some()).to_string()),
        ("skipped", skipped.to_string()),
        ("time", format!("{:.3}", run.secs)),
    ];
    let counts = || counts.iter().map(|(name, value)| (*name, value.as_str()));
    let started = humantime::format_rfc3339_seconds(
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(run.started_unix_secs),
    );
    // JUnit's own schema has no zone.
    let started = started.to_string().trim_end_matches('Z').to_owned();
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all =
        writer.create_element("testsuites").with_attributes(counts().filter(|(name, _)| *name != "skipped"));
    all.write_inner_content(|writer| {
        let suite = writer.create_element("testsuite").with_attribute(("name", run.scenario));
        let suite = suite.with_attribute(("timestamp", started.as_str())).with_attributes(counts());
        suite.write_inner_content(|writer| {
            let classname = format!("barrage-loadtest.{}", run.scenario);
            case(writer, &classname, VALID, because.map(|because| ("error", because.to_owned())))?;
            for checked in run.thresholds {
                let fault = match because {
                    Some(because) => Some(("skipped", because.to_owned())),
                    None => (!checked.holds).then(|| ("failure", measured(checked))),
                };
                case(writer, &classname, &checked.threshold.to_string(), fault)?;
            }
            writer.create_element("system-out").write_text_content(BytesText::new(run.summary))?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

/// Writes a test, and what became of it when it did not pass.
fn case(
    writer: &mut Writer<Vec<u8>>,
    classname: &str,
    name: &str,
    fault: Option<(&str, String)>,
) -> std::io::Result<()> {
    let test = writer.create_element("testcase");
    let test = test.with_attributes([("classname", classname), ("name", name), ("time", "0")]);
    match fault {
        None => test.write_empty()?,
        Some((kind, message)) => test.write_inner_content(|writer| {
            writer.create_element(kind).with_attribute(("message", message.as_str())).write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn measured(checked: &Checked) -> String {
    let figure = checked.threshold.figure();
    match checked.value.zip(unit_of(figure)) {
        Some((value, unit)) => format!("{figure} was {}", unit.show(value)),
        None => format!("{figure} was not measured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;
    use crate::report::{Report, summary};

    fn text(report: &Report) -> String {
        junit(&JunitRun {
            scenario: &report.scenario.name,
            verdict: &report.verdict,
            thresholds: &report.thresholds,
            secs: 6.0,
            started_unix_secs: report.started_unix_secs,
            summary: &summary(report),
        })
    }

    #[test]
    fn broken_thresholds_are_failures_and_names_are_escaped() {
        let text = text(&Report::new(run(1, 1_700)));
        assert!(
            text.contains(
                r#"<testsuite name="&lt;b&gt;smoke &amp; co&lt;/b&gt;" timestamp="2023-11-14T22:13:20""#
            ),
            "{text}"
        );
        assert!(text.contains(r#"tests="6" failures="1" errors="0" skipped="0" time="6.000""#), "{text}");
        assert!(text.contains(r#"name="p99 &lt; 1s" time="0">"#), "{text}");
        assert!(
            text.contains(r#"<failure message="p99 was 1700 ms"/>"#)
                || text.contains(r#"<failure message="p99 was 17"#),
            "{text}"
        );
        assert!(text.contains("<system-out>"), "{text}");
    }

    #[test]
    fn an_invalid_run_is_an_error_and_judges_no_threshold() {
        let text = text(&Report::new(run(600, 20)));
        assert!(text.contains(r#"tests="6" failures="0" errors="1" skipped="5""#), "{text}");
        assert_eq!(text.matches("<skipped message=").count(), 5, "{text}");
        assert!(text.contains("the tester itself was the bottleneck"), "{text}");
    }
}
