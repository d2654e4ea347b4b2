//! The shared vectors of `vectors/inbox.json`, which the TypeScript client takes too.

use std::collections::BTreeMap;

use barrage_protocol::frame::ServerFrame;
use barrage_protocol::inbox::InboxAnswer;
use serde::Deserialize;
use serde_json::Value;

use super::{InboxBook, InboxNews, InboxStep};

#[derive(Debug, Deserialize)]
struct Vectors {
    user: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

/// A frame, or an answer, and what the book is then.
#[derive(Debug, Deserialize)]
struct Step {
    frame: Option<Value>,
    answer: Option<InboxAnswer>,
    #[serde(default)]
    asks: Option<u64>,
    version: u64,
    unread: u64,
    /// What the rows have by their ids; rows that are not named are not compared.
    #[serde(default)]
    rows: BTreeMap<String, Row>,
}

/// Parts of a row that mail changes beside the numbers.
#[derive(Debug, Deserialize)]
struct Row {
    title: String,
    mentions: Vec<u64>,
    deleted: bool,
}

#[test]
fn book_follows_the_shared_vectors() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors/inbox.json")).unwrap();
    assert!(vectors.cases.len() >= 10);
    for Case { name, steps } in vectors.cases {
        let mut book = InboxBook::new(vectors.user.parse().unwrap());
        for (number, step) in steps.into_iter().enumerate() {
            let mut asks = None;
            if let Some(frame) = step.frame {
                let news = match ServerFrame::parse(frame.to_string().as_bytes()).unwrap() {
                    ServerFrame::Attached(_) => InboxNews::Attached,
                    ServerFrame::Mail(mail) => InboxNews::Mail(Box::new(mail)),
                    ServerFrame::Bell(bell) => InboxNews::Bell(bell),
                    other => panic!("{other:?}"),
                };
                if let InboxStep::Ask { spread_ms } = book.take(&news) {
                    asks = Some(spread_ms);
                }
            }
            if let Some(answer) = step.answer {
                let taken = book.answered(answer);
                if let InboxStep::Ask { spread_ms } = taken {
                    asks = Some(spread_ms);
                }
            }
            let found = (asks, book.version(), book.unread());
            assert_eq!(found, (step.asks, step.version, step.unread), "{name}, step {number}");
            for (id, expected) in step.rows {
                let row = &book.conversations()[&id];
                let title = row.group.as_ref().map(|group| group.title.as_str());
                assert_eq!(title, Some(expected.title.as_str()), "{name}, step {number}");
                let found = (&row.mentions, row.deleted);
                assert_eq!(found, (&expected.mentions, expected.deleted), "{name}, step {number}");
            }
        }
    }
}
