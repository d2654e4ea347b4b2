//! The page of reviews: every example parses as its type.

use std::collections::BTreeSet;

use barrage_protocol::post::PostAnswer;
use barrage_protocol::review::{
    ReportAnswer, ReportRequest, ReviewAnswer, ReviewDecision, ReviewList, ReviewRequest, ReviewSettings,
};
use barrage_protocol::words::{WordsAnswer, WordsRequest, WordsTestAnswer, WordsTestRequest};

use super::page::REVIEWS;

#[test]
fn every_example_parses_as_its_type() {
    let (mut tags, mut decisions) = (BTreeSet::new(), BTreeSet::new());
    for example in REVIEWS.examples() {
        tags.insert(example.tag);
        match example.tag {
            "post-answer" => drop(example.read::<PostAnswer>()),
            "review-list" => drop(example.read::<ReviewList>()),
            "review-settings" => drop(example.read::<ReviewSettings>()),
            "review-request" => {
                let request = example.read::<ReviewRequest>();
                // A new decision does not compile until it is named here; then the page needs an example.
                decisions.insert(match request.decision {
                    ReviewDecision::Take
                    | ReviewDecision::Release
                    | ReviewDecision::Approve
                    | ReviewDecision::Deny
                    | ReviewDecision::DenyAndMute => request.decision.label(),
                });
            }
            "review-answer" => drop(example.read::<ReviewAnswer>()),
            "report-request" => drop(example.read::<ReportRequest>()),
            "report-answer" => drop(example.read::<ReportAnswer>()),
            "words-request" => drop(example.read::<WordsRequest>()),
            "words-answer" => drop(example.read::<WordsAnswer>()),
            "words-test" => drop(example.read::<WordsTestRequest>()),
            "words-test-answer" => drop(example.read::<WordsTestAnswer>()),
            other => panic!("line {}: unknown tag {other}", example.line),
        }
    }
    assert_eq!(tags.len(), 11, "{tags:?}");
    assert_eq!(decisions, BTreeSet::from(["take", "release", "approve", "deny", "deny_and_mute"]));
}
