use super::*;
use barrage_protocol::Class;
use barrage_protocol::frame::{BatchMessage, RepairAnswer};
use proptest::prelude::*;

fn batch(from: u64, to: u64, repair: bool) -> Batch {
    Batch {
        room: "r".parse().unwrap(),
        previous: Sequence(from),
        sequence: Sequence(to),
        messages: (from + 1..=to)
            .map(|n| BatchMessage {
                sequence: Sequence(n),
                class: Class::Gift,
                body: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
            })
            .collect(),
        left_out: Default::default(),
        pulse: None,
        repair: repair.then_some(RepairAnswer { outcome: RepairOutcome::Complete, skipped: 0 }),
        state: None,
    }
}

fn seen(steps: &[Step]) -> Vec<u64> {
    let batches = steps.iter().filter_map(|step| match step {
        Step::Deliver(batch) => Some(batch),
        _ => None,
    });
    batches.flat_map(|b| b.messages.iter().map(|m| m.sequence.0)).collect()
}

#[test]
fn a_signal_ahead_of_its_place_is_delivered_and_moves_no_position() {
    let mut chain = RoomChain::new(Sequence(4));
    let mut ahead = batch(8, 9, false);
    (ahead.previous, ahead.sequence) = (Sequence(4), Sequence(4));
    assert_eq!(seen(&chain.take(ahead, Duration::ZERO)), [9]);
    assert_eq!((chain.position(), chain.is_waiting()), (Sequence(4), false));
    assert_eq!(seen(&chain.take(batch(4, 9, false), Duration::ZERO)), [5, 6, 7, 8, 9]);
}

proptest! {
    /// Under any loss, doubling and reordering, with repairs that answer late:
    /// strictly increasing, and in the end everything is there.
    #[test]
    fn every_gift_once_in_order(
        sizes in prop::collection::vec(1_u64..5, 1..40),
        fates in prop::collection::vec(0_u8..5, 40),
        swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut all = Vec::new();
        let mut end = 0;
        for size in sizes {
            all.push((end, end + size));
            end += size;
        }
        let mut arriving: Vec<_> = all.iter().zip(&fates).flat_map(|(b, fate)| match fate {
            0 => vec![],
            1 => vec![*b, *b],
            _ => vec![*b],
        }).collect();
        if !arriving.is_empty() {
            for swap in swaps {
                let at = swap.index(arriving.len());
                let next = (at + 1) % arriving.len();
                arriving.swap(at, next);
            }
        }
        // The last one always arrives in the end, or nothing would show the gap.
        arriving.push((end, end + 1));
        let mut chain = RoomChain::new(Sequence(0));
        let mut out = Vec::new();
        let mut now = Duration::ZERO;
        let mut asks = Vec::new();
        let mut take = |steps: Vec<Step>, asks: &mut Vec<(u64, u64)>| {
            out.extend(seen(&steps));
            for step in steps {
                match step {
                    Step::Ask { after, before } => asks.push((after.0, before.0)),
                    Step::Lost { .. } => panic!("answered gaps are not lost"),
                    Step::Deliver(_) => {}
                }
            }
        };
        for (i, (from, to)) in arriving.into_iter().enumerate() {
            now += Duration::from_millis(1);
            take(chain.take(batch(from, to, false), now), &mut asks);
            if i % 3 == 0 && let Some((after, before)) = asks.pop() {
                take(chain.take(batch(after, before - 1, true), now), &mut asks);
            }
        }
        while let Some((after, before)) = asks.pop() {
            take(chain.take(batch(after, before - 1, true), now), &mut asks);
        }
        prop_assert_eq!(out, (1..=end + 1).collect::<Vec<_>>());
    }
}

#[test]
fn a_gap_that_nobody_mends_is_given_up() {
    let limits = HoldLimits { asks_max: 3, ..HoldLimits::default() };
    let mut chain = RoomChain::with_limits(Sequence(3), limits);
    let steps = chain.take(batch(7, 9, false), Duration::ZERO);
    assert!(matches!(steps[..], [Step::Ask { after: Sequence(3), before: Sequence(8) }]));
    assert!(chain.tick(Duration::from_secs(1)).is_empty());
    assert!(matches!(chain.tick(Duration::from_secs(2))[..], [Step::Ask { .. }]));
    assert!(matches!(chain.tick(Duration::from_secs(4))[..], [Step::Ask { .. }]));
    let steps = chain.tick(Duration::from_secs(6));
    assert!(matches!(steps[0], Step::Lost { up_to: Sequence(7) }));
    assert_eq!(seen(&steps), [8, 9]);
}

#[test]
fn a_resume_that_is_not_answered_is_asked_for_although_the_room_is_quiet() {
    let mut chain = RoomChain::new(Sequence(5));
    chain.resumed(Sequence(9), Duration::ZERO);
    assert!(chain.is_waiting());
    assert!(chain.tick(Duration::from_millis(500)).is_empty(), "the resume is still on its way");
    let steps = chain.tick(Duration::from_secs(2));
    assert!(matches!(steps[..], [Step::Ask { after: Sequence(5), before: Sequence(10) }]), "{steps:?}");
    // Part of it comes; the rest is asked for.
    let steps = chain.take(batch(5, 7, true), Duration::from_secs(3));
    assert_eq!(seen(&steps), [6, 7]);
    let steps = chain.tick(Duration::from_secs(3));
    assert!(matches!(steps[..], [Step::Ask { after: Sequence(7), before: Sequence(10) }]), "{steps:?}");
    chain.take(batch(7, 9, true), Duration::from_secs(4));
    assert!(!chain.is_waiting() && chain.tick(Duration::from_secs(60)).is_empty());
    // A server that is behind us has nothing to give.
    chain.resumed(Sequence(3), Duration::from_secs(61));
    assert!(!chain.is_waiting());
}

#[test]
fn a_repair_cut_short_is_asked_on() {
    let mut chain = RoomChain::new(Sequence(0));
    chain.take(batch(10, 11, false), Duration::ZERO);
    let steps = chain.take(batch(0, 4, true), Duration::ZERO);
    assert!(
        matches!(steps[..], [Step::Deliver(_), Step::Ask { after: Sequence(4), before: Sequence(11) }]),
        "{steps:?}"
    );
}

#[test]
fn chat_that_was_left_out_behind_the_position_is_counted() {
    let mut chain = RoomChain::new(Sequence(0));
    chain.take(batch(0, 5, true), Duration::ZERO);
    // Of (4, 10], four chats were dropped: at least three of them are behind 5.
    let mut thin = batch(4, 10, false);
    thin.messages.retain(|message| [6, 9].contains(&message.sequence.0));
    thin.left_out.chat = 4;
    let counted = |steps: Vec<Step>| match &steps[..] {
        [Step::Deliver(batch)] => (batch.messages.len(), batch.left_out.chat),
        other => panic!("{other:?}"),
    };
    assert_eq!(counted(chain.take(thin.clone(), Duration::ZERO)), (2, 3));
    (thin.previous, thin.sequence) = (Sequence(8), Sequence(10));
    assert!(chain.take(thin, Duration::ZERO).is_empty(), "all of it is known");
}

fn with_outcome(mut batch: Batch, outcome: RepairOutcome) -> Batch {
    batch.repair = Some(RepairAnswer { outcome, skipped: 0 });
    batch
}

#[test]
fn a_late_gone_does_not_turn_the_chain_back() {
    let mut chain = RoomChain::new(Sequence(3));
    chain.take(batch(7, 9, false), Duration::ZERO);
    let gone = || with_outcome(batch(3, 7, true), RepairOutcome::Gone);
    assert_eq!(seen(&chain.take(gone(), Duration::ZERO)), [4, 5, 6, 7, 8, 9]);
    // The same ask, sent twice, is answered twice.
    assert!(seen(&chain.take(gone(), Duration::ZERO)).is_empty());
    assert_eq!(chain.position(), Sequence(9));
}

#[test]
fn another_history_is_followed_from_its_end() {
    let mut chain = RoomChain::new(Sequence(100));
    chain.take(with_outcome(batch(4, 4, true), RepairOutcome::Gone), Duration::ZERO);
    assert_eq!(seen(&chain.take(batch(4, 6, false), Duration::ZERO)), [5, 6]);
}

#[test]
fn an_empty_answer_is_not_asked_for_again_at_once() {
    let mut chain = RoomChain::new(Sequence(0));
    chain.take(batch(5, 6, false), Duration::ZERO);
    for _ in 0..100 {
        let steps = chain.take(batch(0, 0, true), Duration::ZERO);
        assert!(!steps.iter().any(|step| matches!(step, Step::Ask { .. })), "{steps:?}");
    }
    assert!(matches!(chain.tick(Duration::from_secs(2))[..], [Step::Ask { .. }]));
}

#[test]
fn a_shorter_batch_does_not_displace_a_longer_one() {
    let mut chain = RoomChain::new(Sequence(0));
    chain.take(batch(5, 9, false), Duration::ZERO);
    chain.take(batch(5, 5, false), Duration::ZERO);
    assert_eq!(seen(&chain.take(batch(0, 5, true), Duration::ZERO)), (1..=9).collect::<Vec<_>>());
    assert!(!chain.is_waiting());
}

#[test]
fn a_gap_that_closed_by_itself_does_not_delay_the_next() {
    let mut chain = RoomChain::new(Sequence(0));
    chain.take(batch(2, 3, false), Duration::ZERO);
    chain.take(batch(5, 6, false), Duration::ZERO);
    // What was missing was only late; the second gap is asked for in the same turn.
    let steps = chain.take(batch(0, 2, false), Duration::ZERO);
    assert_eq!(seen(&steps), [1, 2, 3]);
    assert!(matches!(steps.last(), Some(Step::Ask { after: Sequence(3), before: Sequence(6) })), "{steps:?}");
}

#[test]
fn what_is_held_is_bounded() {
    let limits = HoldLimits { batches_max: 4, ..HoldLimits::default() };
    let mut chain = RoomChain::with_limits(Sequence(0), limits);
    let mut lost = 0;
    for n in 1..100 {
        // Every other batch is missing: each one is a gap of its own.
        let steps = chain.take(batch(n * 2, n * 2 + 1, false), Duration::ZERO);
        lost += steps.iter().filter(|step| matches!(step, Step::Lost { .. })).count();
        assert!(chain.held.len() <= 4);
    }
    assert_eq!(lost, 95);
}

proptest! {
    /// Repairs that are lost, doubled, late, cut short or `gone` disturb neither
    /// the order nor, when a later ask is answered, the completeness.
    #[test]
    fn repairs_may_fail_in_any_way(
        gaps in prop::collection::vec((1_u64..4, 1_u64..4), 1..20),
        fates in prop::collection::vec(0_u8..6, 1..60),
    ) {
        let limits = HoldLimits { asks_max: u32::MAX, ..HoldLimits::default() };
        let mut chain = RoomChain::with_limits(Sequence(0), limits);
        let (mut end, mut arriving) = (0, Vec::new());
        for (missing, there) in gaps {
            arriving.push(batch(end + missing, end + missing + there, false));
            end += missing + there;
        }
        let (mut out, mut asks, mut late) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = Duration::ZERO;
        let mut fates = fates.into_iter();
        for arrived in arriving {
            let steps = chain.take(arrived, now);
            out.extend(seen(&steps));
            asks.extend(steps);
        }
        while chain.is_waiting() {
            let Some(ask) = asks.pop() else {
                now += Duration::from_secs(2);
                let steps = chain.tick(now);
                out.extend(seen(&steps));
                asks.extend(steps);
                continue;
            };
            let Step::Ask { after: Sequence(after), before: Sequence(before) } = ask else { continue };
            let whole = || batch(after, before - 1, true);
            let answers = match fates.next() {
                Some(0) => vec![],
                Some(1) => vec![whole(), whole()],
                Some(2) => vec![batch(after, (after + before) / 2, true)],
                Some(3) => { late.push(with_outcome(whole(), RepairOutcome::Gone)); vec![] }
                Some(4) => vec![batch(after, after, true)],
                _ => late.drain(..).chain([whole()]).collect(),
            };
            for answer in answers {
                let steps = chain.take(answer, now);
                out.extend(seen(&steps));
                asks.extend(steps);
            }
        }
        prop_assert_eq!(out, (1..=end).collect::<Vec<_>>());
    }
}
