//! The test vectors that the clients in Rust and TypeScript share.

use serde::Deserialize;

use super::judge::{Purpose, judge};
use super::order::{Known, sources};

#[derive(Deserialize)]
struct Vectors {
    orders: Vec<Order>,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Order {
    name: String,
    known: Known,
    sources: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    name: String,
    now_ms: u64,
    status: u16,
    purpose: Purpose,
    body: String,
    verdict: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../vectors/sources.json")).unwrap()
}

#[test]
fn order_of_sources_is_that_of_the_shared_vectors() {
    let orders = vectors().orders;
    assert!(orders.len() >= 15);
    for Order { name, known, sources: wanted } in orders {
        let order: Vec<_> = sources(&known).iter().map(ToString::to_string).collect();
        assert_eq!(order, wanted, "{name}");
    }
}

#[test]
fn verdicts_on_answers_are_those_of_the_shared_vectors() {
    let answers = vectors().answers;
    assert!(answers.len() >= 20);
    for Answer { name, now_ms, status, purpose, body, verdict } in answers {
        let judged = judge(status, body.as_bytes(), purpose, now_ms);
        assert_eq!(judged.as_ref().map_or_else(|wrong| wrong.label(), |_| "good"), verdict, "{name}");
    }
}
