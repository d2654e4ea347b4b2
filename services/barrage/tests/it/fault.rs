//! The short form of two fault scenarios, so that CI runs them on each submission; `cargo xtask fault`
//! plays all of them. They count messages, and their bound of ten seconds leaves room for tests beside them.

use barrage_faults::outcome::Verdict;
use barrage_faults::play::play;
use barrage_faults::run::{Run, Size};
use barrage_faults::scenarios::find;

use crate::support::BINARY;

/// Plays a scenario in its short form, and prints its figures.
async fn passes(name: &str) {
    let seed = std::env::var("FAULT_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    let run = Run { binary: BINARY.into(), seed, size: Size::Quick, minutes: None, viewers: None };
    let scenario = find(name).unwrap();
    let outcome = tokio::task::spawn_blocking(move || play(scenario, &run)).await.unwrap();
    println!("FAULT_SEED={seed}\n{}", outcome.text());
    assert_eq!(outcome.verdict, Verdict::Passed);
}

#[tokio::test]
async fn no_gift_is_lost_or_duplicated_over_faults() {
    passes("gift-chaos").await;
}

#[tokio::test]
async fn rolling_restart_loses_no_gift() {
    passes("rolling").await;
}
