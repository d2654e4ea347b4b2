//! Scripts of a bad network for the clients in Rust and TypeScript, which both replay them
//! (`services/client/vectors/chain.json`).
//!
//! A script names what arrives and what is answered, and no decision of a client: in the end each client must have
//! delivered the whole log, in order and once.

use std::fmt::Write;

use crate::rng::Rng;

const CASES: u64 = 48;

/// Returns the file as JSON, one line for each case.
#[must_use]
pub fn chain() -> String {
    let about = "A room's log as positions, and what happens to a viewer that has nothing yet. batch: the messages \
                 after a position up to another one arrive. answer: the oldest request of the client, if any, is \
                 answered from the log with at most so many messages. reconnect: what was asked is lost, a hello \
                 names the newest position, and the resume is answered in parts of so many messages. At the end all \
                 requests are answered. The client then has the whole log, in order and once. Made by \
                 `cargo run -p barrage-simulation -- --vectors`.";
    let mut out = format!("{{\n  \"about\": {},\n  \"cases\": [\n", serde_json::json!(about));
    let cases: Vec<_> = (1..=CASES).map(|seed| format!("    {}", case(seed))).collect();
    out.push_str(&cases.join(",\n"));
    out.push_str("\n  ]\n}\n");
    out
}

fn case(seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut position = 0;
    let log: Vec<u64> = (0..rng.between(8, 40))
        .map(|_| {
            position += rng.weighted(&[(5, 1), (1, 2), (1, 7)]);
            position
        })
        .collect();
    let mut batches = Vec::new();
    let (mut at, mut previous) = (0, 0);
    while at < log.len() {
        at = (at + rng.between(1, 4) as usize).min(log.len());
        batches.push((previous, log[at - 1]));
        previous = log[at - 1];
    }
    let mut events = String::new();
    let mut sent = Vec::new();
    for batch in &batches {
        match rng.weighted(&[(6, 1), (3, 0), (1, 2)]) {
            0 => {}
            times => sent.extend(std::iter::repeat_n(*batch, times)),
        }
        // Some batches overtake one another.
        if sent.len() > 1 && rng.percent(30) {
            let last = sent.len() - 1;
            sent.swap(last, last - 1);
        }
        if rng.percent(60) && !sent.is_empty() {
            let (previous, sequence) = sent.remove(0);
            add(&mut events, format_args!("[\"batch\", {previous}, {sequence}]"));
        }
        if rng.percent(35) {
            add(&mut events, format_args!("[\"answer\", {}]", rng.between(1, 5)));
        }
        if rng.percent(6) {
            sent.clear();
            add(&mut events, format_args!("[\"reconnect\", {}, {}]", batch.1, rng.between(1, 5)));
        }
    }
    for (previous, sequence) in sent.into_iter().chain(batches.last().copied()) {
        add(&mut events, format_args!("[\"batch\", {previous}, {sequence}]"));
    }
    format!("{{\"name\": \"seed {seed}\", \"log\": {log:?}, \"events\": [{events}]}}")
}

fn add(events: &mut String, event: std::fmt::Arguments<'_>) {
    if !events.is_empty() {
        events.push_str(", ");
    }
    // A string takes every text.
    events.write_fmt(event).unwrap_or_default();
}
