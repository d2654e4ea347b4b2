use std::path::Path;

use barrage_protocol::entry::Transport;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::sender::UplinkTransport;

#[derive(Deserialize)]
struct Vectors<R> {
    rungs: Vec<R>,
    cases: Vec<Case<R>>,
}

#[derive(Deserialize)]
struct Case<R> {
    name: String,
    #[serde(default)]
    limits: LadderLimits,
    steps: Vec<Taken<R>>,
}

#[derive(Deserialize)]
struct Taken<R> {
    at_ms: u64,
    chance: f64,
    event: LadderEvent<R>,
    actions: Vec<LadderAction<R>>,
    due_ms: Option<u64>,
}

fn pass<R: Copy + PartialEq + std::fmt::Debug + DeserializeOwned>(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let vectors: Vectors<R> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.cases.is_empty());
    for case in vectors.cases {
        let mut ladder = Ladder::new(vectors.rungs.clone(), case.limits);
        for (number, Taken { at_ms, chance, event, actions, due_ms }) in case.steps.into_iter().enumerate() {
            let place = format!("{}, step {number}: {event:?}", case.name);
            assert_eq!(ladder.step(at_ms, chance, event), actions, "{place}");
            assert_eq!(ladder.due_ms(), due_ms, "{place}");
        }
    }
}

#[test]
fn downlink_passes_the_shared_vectors() {
    pass::<Transport>("ladder-downlink.json");
}

#[test]
fn uplink_passes_the_shared_vectors() {
    pass::<UplinkTransport>("ladder-uplink.json");
}

/// What a network does to attempts on a rung, and to connections that opened.
#[derive(Debug, Clone, Copy)]
enum Passage {
    Blocks,
    Passes,
    /// Opens a connection and cuts it after this time.
    Cuts(u64),
}

fn passage() -> impl Strategy<Value = Passage> {
    prop_oneof![
        Just(Passage::Blocks),
        Just(Passage::Passes),
        (0_u64..59_999).prop_map(Passage::Cuts),
        (60_000_u64..300_000).prop_map(Passage::Cuts)
    ]
}

/// Follows a client on a network for a while. Returns how often it rose to a better rung.
fn rises(network: [Passage; 3], chance: f64, end_ms: u64) -> u32 {
    let mut ladder = Ladder::new(vec![0, 1, 2], LadderLimits::default());
    let (mut now_ms, mut rises, mut last) = (0, 0, 0);
    let mut pending = Vec::new();
    let mut cut_at = None;
    while now_ms < end_ms {
        let event = match pending.pop() {
            Some(LadderAction::Open { rung } | LadderAction::Probe { rung }) => match network[rung] {
                Passage::Blocks => LadderEvent::Failed { rung, cause: FailureCause::Blocked },
                Passage::Passes | Passage::Cuts(_) => LadderEvent::Opened { rung },
            },
            Some(LadderAction::Use { rung }) => {
                rises += u32::from(rung < last);
                last = rung;
                cut_at = match network[rung] {
                    Passage::Cuts(after_ms) => Some(now_ms + after_ms),
                    Passage::Blocks | Passage::Passes => None,
                };
                continue;
            }
            Some(LadderAction::Abandon { .. }) => continue,
            Some(LadderAction::GiveUp) | None if ladder.carrying().is_none() => {
                now_ms += 1_000;
                LadderEvent::Connect { offered: vec![0, 1, 2] }
            }
            Some(LadderAction::GiveUp) | None => match (cut_at, ladder.due_ms()) {
                (Some(cut), due) if due.is_none_or(|due| cut <= due) => {
                    now_ms = now_ms.max(cut);
                    LadderEvent::Ended { cause: EndCause::Lost }
                }
                (_, Some(due)) => {
                    now_ms = now_ms.max(due);
                    LadderEvent::Tick
                }
                (_, None) => break,
            },
        };
        pending.extend(ladder.step(now_ms, chance, event).into_iter().rev());
    }
    rises
}

proptest! {
    /// Waits of 7.5, 15, 30, 60, 120, 240, then 300 s at least: 20 rises of each of two rungs in an hour,
    /// as long as no rung carries for a minute and is then lost.
    #[test]
    fn rung_that_opens_and_fails_is_tried_seldom(
        (first, second) in (passage(), passage()),
        chance in 0.0_f64..=1.0,
    ) {
        let network = [first, second, Passage::Passes];
        let settles = network.iter().any(|passage| matches!(passage, Passage::Cuts(60_000..)));
        let rises = rises(network, chance, 3_600_000);
        let most = if settles { 3_600 / 60 * 2 } else { 40 };
        prop_assert!(rises <= most, "{rises} rises");
    }

    #[test]
    fn best_passing_rung_carries_within_twenty_minutes_of_a_better_network(
        (first, second) in (passage(), passage()),
        chance in 0.0_f64..=1.0,
    ) {
        let mut ladder = Ladder::new(vec![0, 1, 2], LadderLimits::default());
        let mut now_ms = 0;
        // Whatever the ladder has seen, the longest wait is ten minutes.
        for passage in [first, second].iter().cycle().take(60) {
            now_ms += 1_000;
            let mut actions = ladder.step(now_ms, chance, LadderEvent::Connect { offered: vec![0, 1, 2] });
            while let Some(LadderAction::Open { rung }) = actions.last().copied() {
                let event = match passage {
                    Passage::Blocks if rung < 2 => LadderEvent::Failed { rung, cause: FailureCause::Blocked },
                    _ => LadderEvent::Opened { rung },
                };
                actions = ladder.step(now_ms, chance, event);
            }
            ladder.step(now_ms, chance, LadderEvent::Ended { cause: EndCause::Lost });
        }
        let passes = |now_ms, ladder: &mut Ladder<usize>| {
            let mut actions = ladder.step(now_ms, chance, LadderEvent::Connect { offered: vec![0, 1, 2] });
            while let Some(LadderAction::Open { rung }) = actions.last().copied() {
                actions = ladder.step(now_ms, chance, LadderEvent::Opened { rung });
            }
        };
        passes(now_ms, &mut ladder);
        let end_ms = now_ms + 1_200_000;
        while let Some(due) = ladder.due_ms().filter(|due| *due < end_ms) {
            now_ms = now_ms.max(due);
            for action in ladder.step(now_ms, chance, LadderEvent::Tick) {
                if let LadderAction::Probe { rung } = action {
                    ladder.step(now_ms, chance, LadderEvent::Opened { rung });
                }
            }
        }
        prop_assert_eq!(ladder.carrying(), Some(0));
    }
}
