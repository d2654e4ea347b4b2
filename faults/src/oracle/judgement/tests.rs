//! The judge must find each kind of broken promise.

use super::*;
use crate::oracle::Shown;
use crate::outcome::{Outcome, Verdict};

const ROOMS: usize = 2;
const GIFTS: usize = 10;

/// A run without a fault: each gift is shown to the two viewers of its room, 50 ms after its acceptance.
fn perfect() -> (Promises, Vec<Seen>, Vec<u32>) {
    let at = |gift: usize| 1_000 + 100 * gift as u32;
    let gifts_ms = (0..GIFTS).map(at).collect();
    let promises = Promises { rooms: ROOMS, gifts_ms, chats_ms: Vec::new() };
    let seen = (0..4).map(|viewer| {
        let room = viewer % ROOMS;
        let mut gifts = Shown::new(GIFTS, ROOMS);
        for gift in (room..GIFTS).step_by(ROOMS) {
            assert!(gifts.record(gift / ROOMS, at(gift) + 50));
        }
        Seen { room, gifts, ..Seen::default() }
    });
    (promises, seen.collect(), vec![1; GIFTS])
}

fn verdict(promises: &Promises, seen: &[Seen], archived: &[u32], faults: &[Fault]) -> Verdict {
    Outcome::judge(&Judgement::new(promises, seen, Some(archived), faults).figures())
}

/// Returns the reasons for which a run fails; panics when it passes.
fn reasons(promises: &Promises, seen: &[Seen], archived: &[u32]) -> String {
    match verdict(promises, seen, archived, &[]) {
        Verdict::Failed(reasons) => reasons.join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_keeps_all_promises_passes() {
    let (promises, seen, archived) = perfect();
    assert_eq!(verdict(&promises, &seen, &archived, &[]), Verdict::Passed);
}

#[test]
fn one_gift_that_one_viewer_lacks_fails_the_run() {
    let (promises, mut seen, archived) = perfect();
    seen[3].gifts.at_ms[2] = 0;
    let judged = Judgement::new(&promises, &seen, Some(&archived), &[]);
    assert_eq!((judged.gifts_lost, judged.lost), (1, vec![(5, 1_500, 3)]));
    assert!(reasons(&promises, &seen, &archived).contains("gifts lost at a viewer: 1"));
}

#[test]
fn a_gift_that_was_not_accepted_is_owed_to_no_viewer() {
    let (mut promises, mut seen, mut archived) = perfect();
    promises.gifts_ms[5] = 0;
    seen[1].gifts.at_ms[2] = 0;
    archived[5] = 0;
    assert_eq!(verdict(&promises, &seen, &archived, &[]), Verdict::Passed);
}

#[test]
fn a_gift_that_is_shown_twice_fails_the_run() {
    let (promises, mut seen, archived) = perfect();
    assert!(!seen[0].gifts.record(1, 9_000));
    assert!(reasons(&promises, &seen, &archived).contains("gifts doubled at a viewer: 1"));
}

#[test]
fn the_archive_must_have_each_gift_once() {
    let (promises, seen, mut archived) = perfect();
    archived[4] = 0;
    archived[6] = 2;
    let reasons = reasons(&promises, &seen, &archived);
    assert!(reasons.contains("gifts not archived: 1") && reasons.contains("gifts archived twice: 1"));
}

#[test]
fn a_late_gift_fails_unless_a_fault_delayed_it() {
    let (promises, mut seen, archived) = perfect();
    seen[0].gifts.at_ms[4] = 1_800 + 10_001;
    assert!(reasons(&promises, &seen, &archived).contains("latest gift"));
    let fault = Fault { description: "kill gateway-1".into(), from_ms: 2_000, to_ms: 5_000 };
    assert_eq!(verdict(&promises, &seen, &archived, &[fault]), Verdict::Passed);
}

#[test]
fn a_viewer_that_was_closed_for_good_fails_the_run() {
    let (promises, mut seen, archived) = perfect();
    seen[0].closed = Some("the room is closed".into());
    assert!(reasons(&promises, &seen, &archived).contains("viewers closed for good: 1"));
}

#[test]
fn a_run_without_accepted_gifts_fails() {
    let (mut promises, seen, archived) = perfect();
    promises.gifts_ms.fill(0);
    assert!(reasons(&promises, &seen, &archived).contains("gifts accepted: 0"));
}

#[test]
fn chat_counts_as_lost_in_percent_and_fails_no_run() {
    let (mut promises, mut seen, archived) = perfect();
    promises.chats_ms = vec![100; 4];
    for viewer in &mut seen {
        viewer.chats = Shown::new(4, ROOMS);
        assert!(viewer.chats.record(0, 400));
    }
    let judged = Judgement::new(&promises, &seen, Some(&archived), &[]);
    assert_eq!((judged.chats_accepted, judged.chat_lost_pct, judged.chat_delay_p99_s), (4, 50.0, 0.3));
    assert_eq!(Outcome::judge(&judged.figures()), Verdict::Passed);
}
