//! Changes of a review queue: bounds, locks, decisions.

use barrage_protocol::review::{ReportedUser, ReviewFallback};
use serde_json::json;

use super::*;

const NOW_MS: u64 = 1_800_000_000_000;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn id(n: usize) -> MessageId {
    format!("rv-{n}").parse().unwrap()
}

fn review(n: usize, kind: ReviewKind) -> Review {
    Review {
        id: id(n),
        kind,
        user: user("ann"),
        rule: "links".into(),
        detail: "example.com".into(),
        matched: None,
        message: Some(json!({ "text": "hi" })),
        report: None,
        at_ms: NOW_MS,
        lock: None,
        fallback_at_ms: None,
    }
}

fn message(n: usize) -> ReviewChange {
    let held = HeldMessage { class: Class::Chat, id: id(n), fingerprint: 7 };
    let review = Review { user: user(&format!("u{n}")), ..review(n, ReviewKind::Message) };
    ReviewChange::Add(Box::new(ReviewItem { review, held: Some(held), verdict: None }))
}

fn report(n: usize, by: &str) -> ReviewChange {
    let report = ReportedUser { count: 1, reporters: vec![user(by)], sequence: None, evidence: vec![] };
    let review = Review { report: Some(report), message: None, ..review(n, ReviewKind::Report) };
    ReviewChange::Add(Box::new(ReviewItem { review, held: None, verdict: None }))
}

fn decide(n: usize, by: &str, decision: ReviewDecision) -> ReviewChange {
    let verdict = Verdict { decision, by: user(by), at_ms: NOW_MS, mute_secs: 0, after: Sequence::ZERO };
    ReviewChange::Decide { id: id(n), verdict }
}

fn end(n: usize, sequence: u64) -> ReviewChange {
    ReviewChange::End { id: id(n), sequence: Some(Sequence(sequence)), until_ms: None }
}

fn after(changes: &[ReviewChange]) -> ReviewQueue {
    changes.iter().fold(ReviewQueue::default(), |queue, change| queue.with(change, NOW_MS).unwrap())
}

#[test]
fn the_first_decision_and_the_first_result_stay() {
    let queue = after(&[message(1), decide(1, "a", ReviewDecision::Approve)]);
    assert_eq!(queue.with(&decide(1, "b", ReviewDecision::Approve), NOW_MS).unwrap(), queue);
    let refused = queue.with(&decide(1, "b", ReviewDecision::Deny), NOW_MS);
    let before = ChangeError::ReviewDecided { by: user("a"), decision: "approve" };
    assert_eq!(refused, Err(before.clone()));
    let ended = queue.with(&end(1, 7), NOW_MS).unwrap().with(&end(1, 8), NOW_MS).unwrap();
    assert_eq!(ended.decided(&id(1)).unwrap().sequence, Some(Sequence(7)));
    assert!(ended.items().is_empty());
    assert_eq!(ended.with(&decide(1, "b", ReviewDecision::Deny), NOW_MS), Err(before));
    assert_eq!(ended.with(&message(1), NOW_MS).unwrap(), ended, "the sender posts it again");
    let stored = serde_json::to_string(&ended).unwrap();
    assert_eq!(serde_json::from_str::<ReviewQueue>(&stored).unwrap(), ended);
}

#[test]
fn a_lock_refuses_others_until_it_lapses_or_is_given_back() {
    let take = |by: &str| ReviewChange::Take { id: id(1), by: user(by) };
    let queue = after(&[message(1), take("a")]);
    let locked = Err(ChangeError::ReviewLocked { by: user("a"), retry_ms: REVIEW_LOCK_MS });
    assert_eq!(queue.with(&take("b"), NOW_MS), locked);
    assert_eq!(queue.with(&decide(1, "b", ReviewDecision::Deny), NOW_MS), locked);
    assert!(queue.with(&decide(1, "a", ReviewDecision::Deny), NOW_MS).is_ok());
    assert!(queue.with(&take("b"), NOW_MS + REVIEW_LOCK_MS).is_ok(), "it has lapsed");
    let release = |by: &str| ReviewChange::Release { id: id(1), by: user(by) };
    let kept = queue.with(&release("b"), NOW_MS).unwrap();
    assert_eq!(kept.with(&take("b"), NOW_MS), locked);
    let free = queue.with(&release("a"), NOW_MS).unwrap();
    assert!(free.with(&take("b"), NOW_MS).is_ok());
    let unknown = ReviewChange::Take { id: id(2), by: user("a") };
    assert_eq!(queue.with(&unknown, NOW_MS), Err(ChangeError::UnknownReview));
}

#[test]
fn a_room_has_a_bounded_number_of_messages_and_reports() {
    let mut queue = ReviewQueue::default();
    for n in 0..REVIEWS_PER_ROOM_MAX {
        queue = queue.with(&message(n), NOW_MS).unwrap();
    }
    assert_eq!(queue.with(&message(1_000), NOW_MS), Err(ChangeError::ReviewsFull));
    assert!(queue.with(&message(0), NOW_MS).is_ok(), "a known one is no further one");
    let mut of_one = ReviewQueue::default();
    for n in 0..=REVIEWS_PER_SENDER_MAX {
        let ReviewChange::Add(mut item) = message(n) else { unreachable!() };
        item.review.user = user("ann");
        match of_one.with(&ReviewChange::Add(item), NOW_MS) {
            Ok(added) => of_one = added,
            Err(error) => assert_eq!((n, error), (REVIEWS_PER_SENDER_MAX, ChangeError::ReviewsFull)),
        }
    }
    assert_eq!(of_one.items().len(), REVIEWS_PER_SENDER_MAX);
    for n in 0..REPORTS_PER_ROOM_MAX {
        queue = queue.with(&report(500 + n, &format!("by{n}")), NOW_MS).unwrap();
    }
    assert_eq!(queue.with(&report(2_000, "x"), NOW_MS), Err(ChangeError::ReviewsFull));
    for n in 0..2 * DECIDED_MAX {
        let one = after(&[message(n), decide(n, "a", ReviewDecision::Deny)]);
        queue = ReviewQueue::from(Stored { items: one.items().to_vec(), ..Stored::from(queue) });
        queue = queue.with(&end(n, 1), NOW_MS).unwrap();
    }
    assert_eq!(queue.0.decided.len(), DECIDED_MAX);
}

#[test]
fn a_queue_is_bounded_in_bytes() {
    let mut queue = ReviewQueue::default();
    let mut refused = None;
    for n in 0..REVIEWS_PER_ROOM_MAX {
        let ReviewChange::Add(mut item) = message(n) else { unreachable!() };
        item.review.message = Some(json!({ "text": "x".repeat(10_000) }));
        match queue.with(&ReviewChange::Add(item), NOW_MS) {
            Ok(added) => queue = added,
            Err(error) => {
                refused = Some((n, error));
                break;
            }
        }
    }
    assert!(matches!(refused, Some((20..40, ChangeError::ReviewsFull))), "{refused:?}");
}

#[test]
fn reports_of_one_user_join_and_are_bounded_for_each_reporter() {
    let queue = after(&[report(1, "a"), report(1, "b"), report(1, "a")]);
    let report_of = |queue: &ReviewQueue| queue.items()[0].review.report.clone().unwrap();
    assert_eq!((queue.items().len(), report_of(&queue).count), (1, 2));
    let mut queue = queue;
    for n in 2..=REPORTS_PER_REPORTER_MAX {
        queue = queue.with(&report(n, "a"), NOW_MS).unwrap();
    }
    assert_eq!(queue.with(&report(100, "a"), NOW_MS), Err(ChangeError::ReportsFull));
    assert!(queue.with(&report(100, "b"), NOW_MS).is_ok());
    let closed = after(&[report(1, "a"), decide(1, "m", ReviewDecision::Approve), end(1, 0)]);
    assert_eq!(closed.with(&report(1, "a"), NOW_MS).unwrap().items().len(), 1, "reported again");
}

#[test]
fn the_fallback_of_the_room_is_due_for_messages_alone() {
    let settings = ReviewSettings { fallback: Some(ReviewFallback::Deny), fallback_secs: 30 };
    let queue = after(&[ReviewChange::Settings(settings), message(1), report(2, "a")]);
    let due: Vec<_> = queue.items().iter().map(|item| item.review.fallback_at_ms).collect();
    assert_eq!(due, [Some(NOW_MS + 30_000), None]);
}

#[test]
fn medium_of_a_message_is_used_while_it_waits_and_for_a_day_after_an_approval() {
    let digest = Digest::new([7; 32]);
    let with_media = |n: usize| {
        let ReviewChange::Add(mut item) = message(n) else { unreachable!() };
        item.review.message = Some(serde_json::json!({ "media": { "digest": digest } }));
        ReviewChange::Add(item)
    };
    let waits = after(&[with_media(1), message(2)]);
    assert!(waits.shows_medium(digest, u64::MAX) && !waits.shows_medium(Digest::new([8; 32]), NOW_MS));
    let approved = after(&[with_media(1), decide(1, "m", ReviewDecision::Approve), end(1, 7)]);
    assert!(approved.shows_medium(digest, NOW_MS + APPROVED_USE_MS - 1));
    assert!(!approved.shows_medium(digest, NOW_MS + APPROVED_USE_MS));
    let denied = after(&[with_media(1), decide(1, "m", ReviewDecision::Deny), end(1, 7)]);
    assert!(!denied.shows_medium(digest, NOW_MS));
}
