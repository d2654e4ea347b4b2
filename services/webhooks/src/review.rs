//! The events of reviews: what waits for a moderator, and what was decided.
//!
//! An entry that waits is in the queue of its room, and a decision is in the audit log before the queue
//! forgets the entry. A decision also stores the event of its opening, under the same id: an entry that
//! was opened and decided while no process looked has both events.

use std::collections::BTreeSet;
use std::sync::Arc;

use barrage_bus::Bus;
use barrage_protocol::review::{ReportedUser, Review, ReviewKind};
use barrage_protocol::{MessageId, RoomId, Sequence, UserId};
use barrage_store::{AuditRecord, NewDelivery};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::EndpointConfig;
use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::event::{self, REVIEW_DECIDED, REVIEW_OPENED};

/// Number under which the position among the reviews is stored, a Unix time in milliseconds; no bus has
/// so many partitions.
const PARTITION: u16 = u16::MAX - 1;
/// Milliseconds below the newest review that are looked at again: clocks of uplinks differ, and an entry
/// is stored some time after it is made.
const OVERLAP_MS: u64 = 60_000;
/// Actions of the audit log that are decisions, with the decision.
const DECISIONS: [(&str, &str); 3] =
    [("review-approve", "approve"), ("review-deny", "deny"), ("review-deny-and-mute", "deny_and_mute")];

/// Data of `review.opened`. The parts of the text are absent when the review was decided before any
/// process looked.
#[derive(Debug, Serialize)]
struct Opened<'a> {
    room: &'a RoomId,
    review: &'a MessageId,
    kind: ReviewKind,
    user: &'a UserId,
    rule: &'a str,
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a ReportedUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_at_ms: Option<u64>,
}

/// Data of `review.decided`, from a line of the audit log.
#[derive(Debug, Serialize)]
struct Decided<'a> {
    room: &'a RoomId,
    review: &'a MessageId,
    kind: ReviewKind,
    user: &'a UserId,
    rule: &'a str,
    opened_at_ms: u64,
    decision: &'static str,
    by: &'a str,
    at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Detail of a decision in the audit log.
#[derive(Debug, Deserialize)]
struct Detail {
    review: MessageId,
    kind: ReviewKind,
    rule: String,
    opened_at_ms: u64,
    decided_at_ms: u64,
    sequence: Option<Sequence>,
    until_ms: Option<u64>,
    reason: Option<String>,
}

/// Stores the events of entries that wait, until an error that only an operator can repair. Ends no run
/// when the receiver does not want them.
pub(crate) async fn follow(bus: Arc<dyn Bus>, endpoint: Arc<Endpoint>) -> Result<(), WebhooksError> {
    if !event::wants(&endpoint.settings.events, REVIEW_OPENED) {
        std::future::pending::<()>().await;
    }
    let mut mark_ms = find_mark(&endpoint).await?;
    let mut seen = BTreeSet::new();
    let settings = bus.settings();
    loop {
        tokio::time::sleep(endpoint.poll_interval()).await;
        if endpoint.is_disabled() || endpoint.fill() >= 2.0 {
            continue;
        }
        let current = settings.borrow().clone();
        let from_ms = mark_ms.saturating_sub(OVERLAP_MS);
        let mut made = Vec::new();
        for (room, queue) in current.reviews.iter() {
            let reviews = queue.items().iter().map(|item| &item.review);
            for review in reviews.filter(|review| is_of(room, &endpoint.settings) && review.at_ms > from_ms) {
                made.push((review.at_ms, opened(room, review)));
            }
        }
        made.retain(|(_, event)| !seen.contains(&event.event));
        let Some(newest_ms) = made.iter().map(|(at_ms, _)| *at_ms).max() else { continue };
        mark_ms = mark_ms.max(newest_ms);
        seen.extend(made.iter().map(|(_, event)| event.event.clone()));
        // What is below the overlap is not looked at again, so that only recent ids are kept.
        if seen.len() > 2 * made.len() + 1_000 {
            let from_ms = mark_ms.saturating_sub(OVERLAP_MS);
            let waiting = current.reviews.values().flat_map(|queue| queue.items());
            let recent = waiting.filter(|item| item.review.at_ms > from_ms);
            let recent: BTreeSet<_> =
                recent.map(|item| event_id(&item.review.id, item.review.at_ms, "opened")).collect();
            seen.retain(|id| recent.contains(id));
        }
        let events: Vec<_> = made.into_iter().map(|(_, event)| event).collect();
        store(&endpoint, mark_ms, &events).await?;
    }
}

/// Returns the position of the receiver. A new receiver begins now.
async fn find_mark(endpoint: &Endpoint) -> Result<u64, WebhooksError> {
    let deliveries = endpoint.store.deliveries();
    if let Some(mark) = endpoint.retried(|| deliveries.mark(endpoint.name(), PARTITION)).await? {
        return Ok(mark.0);
    }
    // Entries that waited before are below the overlap.
    let mark_ms = barrage_clock::unix_ms().saturating_add(OVERLAP_MS);
    store(endpoint, mark_ms, &[]).await?;
    Ok(mark_ms)
}

async fn store(endpoint: &Endpoint, mark_ms: u64, events: &[NewDelivery]) -> Result<(), WebhooksError> {
    let deliveries = endpoint.store.deliveries();
    endpoint.retried(|| deliveries.enqueue(endpoint.name(), PARTITION, Sequence(mark_ms), events)).await?;
    if !events.is_empty() {
        endpoint.add_pending(events.len());
    }
    Ok(())
}

fn is_of(room: &RoomId, settings: &EndpointConfig) -> bool {
    settings.rooms.is_empty() || settings.rooms.contains(room)
}

/// Returns the id of an event. A user who is reported again has a review of the same id, opened later.
fn event_id(review: &MessageId, opened_at_ms: u64, what: &str) -> String {
    format!("review/{review}/{opened_at_ms}/{what}")
}

fn opened(room: &RoomId, review: &Review) -> NewDelivery {
    let Review { id, kind, user, rule, detail, matched, message, report, at_ms, fallback_at_ms, .. } = review;
    let data = Opened {
        room,
        review: id,
        kind: *kind,
        user,
        rule,
        at_ms: *at_ms,
        detail: (!detail.is_empty()).then_some(detail.as_str()),
        matched: matched.as_deref(),
        message: message.as_ref(),
        report: report.as_ref(),
        fallback_at_ms: *fallback_at_ms,
    };
    event::make(event_id(id, *at_ms, "opened"), REVIEW_OPENED, *at_ms, data)
}

/// Makes the events of a line of the audit log, opening and decision; none for a line that is no decision,
/// or that an older uplink wrote.
pub(crate) fn of_line(record: &AuditRecord, settings: &EndpointConfig) -> Vec<NewDelivery> {
    let decision = DECISIONS.iter().find(|(action, _)| *action == record.action).map(|(_, label)| *label);
    let (Some(decision), Some(room), Some(user)) = (decision, &record.room, &record.user) else {
        return Vec::new();
    };
    let Ok(detail) = Detail::deserialize(&record.detail) else { return Vec::new() };
    if !is_of(room, settings) {
        return Vec::new();
    }
    let Detail { review, kind, rule, opened_at_ms, decided_at_ms, sequence, until_ms, reason } = &detail;
    let opened = Opened {
        room,
        review,
        kind: *kind,
        user,
        rule,
        at_ms: *opened_at_ms,
        detail: None,
        matched: None,
        message: None,
        report: None,
        fallback_at_ms: None,
    };
    let decided = Decided {
        room,
        review,
        kind: *kind,
        user,
        rule,
        opened_at_ms: *opened_at_ms,
        decision,
        by: &record.actor,
        at_ms: *decided_at_ms,
        sequence: *sequence,
        until_ms: *until_ms,
        reason: reason.as_deref(),
    };
    let id = |what| event_id(review, *opened_at_ms, what);
    let events = [
        event::make(id("opened"), REVIEW_OPENED, *opened_at_ms, opened),
        event::make(id("decided"), REVIEW_DECIDED, *decided_at_ms, decided),
    ];
    events.into_iter().filter(|event| event::wants(&settings.events, &event.kind)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(action: &str, detail: Value) -> AuditRecord {
        AuditRecord {
            at_ms: 9_000,
            room: "demo".parse().ok(),
            user: "bob".parse().ok(),
            actor: "mod".into(),
            action: action.into(),
            detail,
        }
    }

    fn settings(events: &[&str], rooms: &[&str]) -> EndpointConfig {
        EndpointConfig {
            name: "a".into(),
            url: "https://hook.example".into(),
            secret_file: "none".into(),
            events: events.iter().map(ToString::to_string).collect(),
            rooms: rooms.iter().map(|room| room.parse().unwrap()).collect(),
        }
    }

    fn detail() -> Value {
        json!({
            "review": "rv-1", "kind": "message", "rule": "links", "role": "moderator", "reason": "spam",
            "message": "m1", "sequence": null, "until_ms": 69_000, "opened_at_ms": 7_000, "decided_at_ms": 8_000,
        })
    }

    #[test]
    fn a_decision_has_the_events_of_its_opening_and_of_itself() {
        let events = of_line(&line("review-deny-and-mute", detail()), &settings(&["*"], &[]));
        let ids: Vec<_> = events.iter().map(|event| (event.event.as_str(), event.kind.as_str())).collect();
        let expected =
            [("review/rv-1/7000/opened", REVIEW_OPENED), ("review/rv-1/7000/decided", REVIEW_DECIDED)];
        assert_eq!(ids, expected);
        let body: Value = serde_json::from_str(&events[1].body).unwrap();
        let expected = json!({
            "room": "demo", "review": "rv-1", "kind": "message", "user": "bob", "rule": "links",
            "opened_at_ms": 7_000, "decision": "deny_and_mute", "by": "mod", "at_ms": 8_000,
            "until_ms": 69_000, "reason": "spam",
        });
        assert_eq!(body["data"], expected);
    }

    #[test]
    fn only_decisions_that_the_receiver_wants_are_events() {
        let decision = line("review-approve", detail());
        assert_eq!(of_line(&decision, &settings(&["review.decided"], &["demo"])).len(), 1);
        assert_eq!(of_line(&decision, &settings(&["gift.*"], &[])).len(), 0);
        assert_eq!(of_line(&decision, &settings(&["*"], &["other"])).len(), 0);
        assert_eq!(of_line(&line("review-settings", detail()), &settings(&["*"], &[])).len(), 0);
        let old = json!({ "review": "rv-1", "rule": "links" });
        assert_eq!(of_line(&line("review-approve", old), &settings(&["*"], &[])).len(), 0);
    }
}
