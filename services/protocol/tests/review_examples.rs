//! docs/reference/protocol-reviews.md against the types: every example parses and loses nothing.

use std::collections::BTreeSet;

use barrage_protocol::post::PostAnswer;
use barrage_protocol::review::{
    ReportAnswer, ReportRequest, ReviewAnswer, ReviewDecision, ReviewList, ReviewRequest, ReviewSettings,
};
use barrage_protocol::words::{WordsAnswer, WordsRequest, WordsTestAnswer, WordsTestRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/reference/protocol-reviews.md");

/// Returns the fenced blocks that open with "```json TAG": line, tag, text.
fn examples() -> Vec<(usize, &'static str, String)> {
    let mut examples = Vec::new();
    let mut lines = PAGE.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let tag = fence.strip_prefix("json ");
        examples.push((number + 1, tag.expect("every example has a tag"), body.join("\n")));
    }
    examples
}

/// Returns whether `read` has every field of `example` with the same value.
fn keeps(example: &Value, read: &Value) -> bool {
    match (example, read) {
        (Value::Object(example), Value::Object(read)) => {
            example.iter().all(|(key, value)| read.get(key).is_some_and(|read| keeps(value, read)))
        }
        (Value::Array(example), Value::Array(read)) => {
            example.len() == read.len()
                && example.iter().zip(read).all(|(example, read)| keeps(example, read))
        }
        (example, read) => example == read,
    }
}

fn parse<T: Serialize + DeserializeOwned>(line: usize, text: &str) -> T {
    let read: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("line {line}: {error}"));
    let example: Value = serde_json::from_str(text).expect("what a type was read from is JSON");
    let written = serde_json::to_value(&read).expect("the protocol's types are plain data");
    assert!(keeps(&example, &written), "line {line}: a field was not understood:\n{example}\n{written}");
    read
}

#[test]
fn every_example_parses_as_its_type() {
    let (mut tags, mut decisions) = (BTreeSet::new(), BTreeSet::new());
    for (line, tag, text) in examples() {
        tags.insert(tag);
        match tag {
            "post-answer" => drop(parse::<PostAnswer>(line, &text)),
            "review-list" => drop(parse::<ReviewList>(line, &text)),
            "review-settings" => drop(parse::<ReviewSettings>(line, &text)),
            "review-request" => {
                let request = parse::<ReviewRequest>(line, &text);
                // A new decision does not compile until it is named here; then the page needs an example.
                decisions.insert(match request.decision {
                    ReviewDecision::Take
                    | ReviewDecision::Release
                    | ReviewDecision::Approve
                    | ReviewDecision::Deny
                    | ReviewDecision::DenyAndMute => request.decision.label(),
                });
            }
            "review-answer" => drop(parse::<ReviewAnswer>(line, &text)),
            "report-request" => drop(parse::<ReportRequest>(line, &text)),
            "report-answer" => drop(parse::<ReportAnswer>(line, &text)),
            "words-request" => drop(parse::<WordsRequest>(line, &text)),
            "words-answer" => drop(parse::<WordsAnswer>(line, &text)),
            "words-test" => drop(parse::<WordsTestRequest>(line, &text)),
            "words-test-answer" => drop(parse::<WordsTestAnswer>(line, &text)),
            other => panic!("line {line}: unknown tag {other}"),
        }
    }
    assert_eq!(tags.len(), 11, "{tags:?}");
    assert_eq!(decisions, BTreeSet::from(["take", "release", "approve", "deny", "deny_and_mute"]));
}
