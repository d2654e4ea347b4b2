//! The vectors that the page's heartbeat passes too.

use std::path::Path;

use serde::Deserialize;

use super::{Action, Close, Heartbeat, Manner, Moment, NetworkMemory, Terms};

const WALL_MS: i64 = 1_700_000_000_000;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_ms: u64,
    #[serde(default)]
    skew_ms: i64,
    event: Event,
    action: Expected,
    interval_ms: u64,
    wake_at_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Stated {
    interval_ms: u64,
    interval_ms_max: Option<u64>,
    #[serde(default)]
    listening: bool,
}

impl Stated {
    fn terms(&self) -> Terms {
        let manner = match (self.listening, self.interval_ms_max) {
            (true, _) => Manner::Listening,
            (false, Some(max_ms)) => Manner::Adaptive(max_ms),
            (false, None) => Manner::Fixed,
        };
        Terms { interval_ms: self.interval_ms, manner }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Opened(Stated),
    Closed { failed: bool },
    NetworkChanged { network: String },
    Sent,
    Check,
    Received,
    Pong { id: u64 },
    Terms(Stated),
    Poll,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Expected {
    Wait,
    Ping { id: u64 },
    Dead,
}

fn apply(heartbeat: &mut Heartbeat, now: Moment, event: &Event) -> Action {
    match event {
        Event::Opened(stated) => heartbeat.opened(now, stated.terms()),
        Event::Closed { failed: true } => heartbeat.closed(now, Close::Failed),
        Event::Closed { failed: false } => heartbeat.closed(now, Close::Orderly),
        Event::NetworkChanged { network } => return heartbeat.network_changed(now, network.clone()),
        Event::Sent => return heartbeat.sent(now),
        Event::Check => return heartbeat.check(now),
        Event::Received => heartbeat.received(now),
        Event::Pong { id } => heartbeat.pong(now, *id),
        Event::Terms(stated) => heartbeat.set_terms(stated.terms()),
        Event::Poll => return heartbeat.poll(now),
    }
    Action::Wait
}

#[test]
fn heartbeat_passes_the_shared_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/heartbeat.json");
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.cases.is_empty());
    for case in vectors.cases {
        let start = Moment { steady_ms: 0, wall_ms: WALL_MS.unsigned_abs() };
        let mut heartbeat = Heartbeat::new(NetworkMemory::default(), "unknown".into(), start);
        for (number, step) in case.steps.into_iter().enumerate() {
            let place = format!("{}, step {number}: {:?}", case.name, step.event);
            let wall_ms = (WALL_MS + step.skew_ms).unsigned_abs() + step.at_ms;
            let now = Moment { steady_ms: step.at_ms, wall_ms };
            let expected = match step.action {
                Expected::Wait => Action::Wait,
                Expected::Ping { id } => Action::Ping(id),
                Expected::Dead => Action::Dead,
            };
            assert_eq!(apply(&mut heartbeat, now, &step.event), expected, "{place}");
            assert_eq!(heartbeat.interval_ms(), step.interval_ms, "{place}");
            assert_eq!(heartbeat.wake_at(), step.wake_at_ms, "{place}");
        }
    }
}
