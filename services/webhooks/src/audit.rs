//! The loop from the audit log to the stored events of one receiver: who acted on whom, and why. The
//! bus has neither, and mutes reach their users alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use barrage_protocol::{RoomId, Sequence, UserId};
use barrage_store::{AuditFilter, AuditLine, NewDelivery};
use serde::Serialize;
use serde_json::Value;

use crate::config::EndpointConfig;
use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::event::{self, MODERATION_ACTED, REVIEW_DECIDED, REVIEW_OPENED};
use crate::review;

/// Number under which the position in the audit log is stored; no bus has so many partitions.
const PARTITION: u16 = u16::MAX;
/// Lines of one read.
const PAGE: usize = 500;
/// Reads of one look, so that a look ends. Older lines are skipped and logged.
const PAGES_MAX: usize = 20;
/// Ids below the newest that are looked at again: two uplinks may commit their lines in another order
/// than that of the ids.
const OVERLAP: u64 = 100;
/// Age in milliseconds of a line after which it is not looked at again: after a restart, old lines must
/// not come again when the delivery log no longer has them.
const OVERLAP_MS: u64 = 60_000;

const ALL: AuditFilter<'static> = AuditFilter { room: None, user: None, actor: None, action: None };

/// Data of an event that comes from the audit log.
#[derive(Debug, Serialize)]
struct Acted<'a> {
    room: Option<&'a RoomId>,
    user: Option<&'a UserId>,
    actor: &'a str,
    action: &'a str,
    at_ms: u64,
    detail: &'a Value,
}

/// Stores events until an error that only an operator can repair. Ends no run when the receiver does
/// not want them.
pub(crate) async fn follow(endpoint: Arc<Endpoint>) -> Result<(), WebhooksError> {
    let kinds = [MODERATION_ACTED, REVIEW_OPENED, REVIEW_DECIDED];
    if !kinds.iter().any(|kind| event::wants(&endpoint.settings.events, kind)) {
        std::future::pending::<()>().await;
    }
    let mut mark = find_mark(&endpoint).await?;
    let mut seen = BTreeSet::new();
    loop {
        tokio::time::sleep(endpoint.poll_interval()).await;
        if endpoint.is_disabled() || endpoint.fill() >= 2.0 {
            continue;
        }
        let lines = newer(&endpoint, mark.saturating_sub(OVERLAP)).await?;
        let recent_ms = barrage_clock::unix_ms().saturating_sub(OVERLAP_MS);
        let is_new =
            |line: &&AuditLine| !seen.contains(&line.id) && (line.id > mark || line.record.at_ms > recent_ms);
        let new: Vec<_> = lines.iter().filter(is_new).collect();
        let Some(newest) = new.iter().map(|line| line.id).max() else { continue };
        let events: Vec<_> = new.iter().flat_map(|line| all_of_line(line, &endpoint.settings)).collect();
        mark = mark.max(newest);
        store(&endpoint, mark, &events).await?;
        seen.extend(new.iter().map(|line| line.id));
        seen = seen.split_off(&mark.saturating_sub(OVERLAP));
    }
}

async fn store(endpoint: &Endpoint, mark: u64, events: &[NewDelivery]) -> Result<(), WebhooksError> {
    let deliveries = endpoint.store.deliveries();
    endpoint.retried(|| deliveries.enqueue(endpoint.name(), PARTITION, Sequence(mark), events)).await?;
    if !events.is_empty() {
        endpoint.add_pending(events.len());
    }
    Ok(())
}

/// Returns the position of the receiver in the log. A new receiver begins at the newest line.
async fn find_mark(endpoint: &Endpoint) -> Result<u64, WebhooksError> {
    let deliveries = endpoint.store.deliveries();
    if let Some(mark) = endpoint.retried(|| deliveries.mark(endpoint.name(), PARTITION)).await? {
        return Ok(mark.0);
    }
    let newest = endpoint.retried(|| endpoint.store.audit(ALL, None, 1)).await?;
    let mark = newest.first().map_or(0, |line| line.id);
    store(endpoint, mark, &[]).await?;
    Ok(mark)
}

/// Reads the lines after an id, newest first.
async fn newer(endpoint: &Endpoint, after: u64) -> Result<Vec<AuditLine>, WebhooksError> {
    let mut lines = Vec::new();
    let mut before = None;
    for _ in 0..PAGES_MAX {
        let page = endpoint.retried(|| endpoint.store.audit(ALL, before, PAGE)).await?;
        before = page.last().map(|line| line.id);
        let is_last = page.len() < PAGE || before.is_some_and(|id| id <= after);
        lines.extend(page.into_iter().filter(|line| line.id > after));
        if is_last {
            return Ok(lines);
        }
    }
    tracing::warn!(
        endpoint = endpoint.name(),
        after,
        "the audit log has too many new lines; no webhook has the older ones"
    );
    Ok(lines)
}

/// Makes every event of a line that the receiver wants.
fn all_of_line(line: &AuditLine, settings: &EndpointConfig) -> Vec<NewDelivery> {
    let mut events = review::of_line(&line.record, settings);
    if event::wants(&settings.events, MODERATION_ACTED) {
        events.extend(of_line(line, settings));
    }
    events
}

/// Makes the event of a line; `None` for one about no room and no user, or about another room.
fn of_line(line: &AuditLine, settings: &EndpointConfig) -> Option<NewDelivery> {
    let record = &line.record;
    let (room, user) = (record.room.as_ref(), record.user.as_ref());
    let is_wanted = match room {
        Some(room) => settings.rooms.is_empty() || settings.rooms.contains(room),
        None => user.is_some() && settings.rooms.is_empty(),
    };
    is_wanted.then(|| {
        let (actor, action, at_ms) = (record.actor.as_str(), record.action.as_str(), record.at_ms);
        let data = Acted { room, user, actor, action, at_ms, detail: &record.detail };
        event::make(format!("audit/{}", line.id), MODERATION_ACTED, at_ms, data)
    })
}

#[cfg(test)]
mod tests {
    use barrage_store::AuditRecord;
    use serde_json::json;

    use super::*;

    fn made(room: Option<&str>, user: Option<&str>, rooms: &[&str]) -> Option<NewDelivery> {
        let settings = EndpointConfig {
            name: "a".into(),
            url: "https://hook.example".into(),
            secret_file: "none".into(),
            events: vec!["*".into()],
            rooms: rooms.iter().map(|room| room.parse().unwrap()).collect(),
        };
        let record = AuditRecord {
            at_ms: 7,
            room: room.map(|room| room.parse().unwrap()),
            user: user.map(|user| user.parse().unwrap()),
            actor: "mod".into(),
            action: "mute".into(),
            detail: json!({ "reason": "spam" }),
        };
        of_line(&AuditLine { id: 3, record }, &settings)
    }

    #[test]
    fn lines_about_rooms_and_users_are_events_with_actor_and_reason() {
        let event = made(Some("demo"), Some("bob"), &["demo"]).unwrap();
        assert_eq!((event.event.as_str(), event.kind.as_str()), ("audit/3", "moderation.acted"));
        assert!(
            event.body.contains(r#""actor":"mod","action":"mute","at_ms":7,"detail":{"reason":"spam"}"#),
            "{}",
            event.body
        );
        assert!(made(Some("demo"), None, &[]).is_some() && made(None, Some("bob"), &[]).is_some());
        assert!(made(None, None, &[]).is_none() && made(Some("a"), None, &["b"]).is_none());
        assert!(made(None, Some("bob"), &["b"]).is_none());
    }
}
