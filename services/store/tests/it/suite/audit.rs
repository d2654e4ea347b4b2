//! Pages and deletion of the audit log.

use std::sync::Arc;

use barrage_protocol::RoomId;
use barrage_store::{AuditFilter, AuditLine, AuditRecord, HISTORY_LIMIT_MAX, Store};
use serde_json::json;

use super::{room, user};

/// Returns the record of an action at 1,000 + n; without a room when `id` is empty.
fn record(n: u64, id: &str) -> AuditRecord {
    AuditRecord {
        at_ms: 1_000 + n,
        room: (!id.is_empty()).then(|| room(id)),
        user: n.is_multiple_of(2).then(|| user("ann")),
        actor: "mod:1".to_owned(),
        action: "mute".to_owned(),
        detail: json!({ "n": n, "words": "弹幕 \"\\ \u{0}" }),
    }
}

fn of_room(room: &RoomId) -> AuditFilter<'_> {
    AuditFilter { room: Some(room), ..AuditFilter::default() }
}

fn records(lines: &[AuditLine]) -> Vec<AuditRecord> {
    lines.iter().map(|line| line.record.clone()).collect()
}

/// Returns the records with these numbers in the room "demo".
fn demo(numbers: impl Iterator<Item = u64>) -> Vec<AuditRecord> {
    numbers.map(|n| record(n, "demo")).collect()
}

pub(crate) async fn audit_pages_begin_at_the_newest_line(store: Arc<dyn Store>) {
    assert_eq!(store.audit(AuditFilter::default(), None, 10).await.unwrap(), []);
    store.append_audit(&[]).await.unwrap();
    store.append_audit(&demo(1..=5)).await.unwrap();
    store.append_audit(&demo(6..=6)).await.unwrap();

    let first = store.audit(AuditFilter::default(), None, 4).await.unwrap();
    assert_eq!(records(&first), demo((3..=6).rev()));
    let rest = store.audit(AuditFilter::default(), Some(first[3].id), 4).await.unwrap();
    assert_eq!(records(&rest), demo((1..=2).rev()));
    assert_eq!(store.audit(AuditFilter::default(), Some(rest[1].id), 4).await.unwrap(), []);
    assert_eq!(store.audit(AuditFilter::default(), Some(u64::MAX), 0).await.unwrap(), first[..1]);
}

pub(crate) async fn audit_of_a_room_has_no_lines_of_other_rooms(store: Arc<dyn Store>) {
    let all = [record(1, "demo"), record(2, ""), record(3, "other"), record(4, "demo")];
    store.append_audit(&all).await.unwrap();
    let of = async |id| records(&store.audit(of_room(&room(id)), None, 10).await.unwrap());
    assert_eq!(of("demo").await, [record(4, "demo"), record(1, "demo")]);
    assert_eq!(of("other").await, [record(3, "other")]);
    assert_eq!(of("none").await, []);
    let newest = store.audit(of_room(&room("demo")), None, 1).await.unwrap();
    let older = store.audit(of_room(&room("demo")), Some(newest[0].id), 1).await.unwrap();
    assert_eq!(records(&older), [record(1, "demo")]);
    assert_eq!(records(&store.audit(AuditFilter::default(), None, 10).await.unwrap()).len(), 4);
}

pub(crate) async fn an_audit_filter_combines_its_conditions(store: Arc<dyn Store>) {
    let by = |n, room: &str, actor: &str, action: &str| AuditRecord {
        actor: actor.to_owned(),
        action: action.to_owned(),
        ..record(n, room)
    };
    let all = [
        by(1, "demo", "boss", "mute"),
        by(2, "demo", "boss", "kick"),
        by(3, "other", "boss", "mute"),
        by(4, "demo", "mod:1", "mute"),
        by(5, "", "boss", "switch"),
    ];
    store.append_audit(&all).await.unwrap();
    let (demo, ann) = (room("demo"), user("ann"));
    let found = async |filter: AuditFilter<'_>| records(&store.audit(filter, None, 10).await.unwrap());
    let boss = AuditFilter { actor: Some("boss"), ..AuditFilter::default() };
    let picked = |numbers: &[usize]| numbers.iter().map(|n| all[n - 1].clone()).collect::<Vec<_>>();
    assert_eq!(found(boss).await, picked(&[5, 3, 2, 1]));
    assert_eq!(found(AuditFilter { action: Some("mute"), ..boss }).await, picked(&[3, 1]));
    let in_demo = AuditFilter { room: Some(&demo), ..boss };
    assert_eq!(found(in_demo).await, picked(&[2, 1]));
    assert_eq!(found(AuditFilter { action: Some("mute"), ..in_demo }).await, picked(&[1]));
    assert_eq!(found(AuditFilter { user: Some(&ann), ..of_room(&demo) }).await, picked(&[4, 2]));
    assert_eq!(found(AuditFilter { user: Some(&ann), ..boss }).await, picked(&[2]));
    let newest = store.audit(boss, None, 2).await.unwrap();
    let older = store.audit(boss, Some(newest[1].id), 2).await.unwrap();
    assert_eq!(records(&older), picked(&[2, 1]));
}

pub(crate) async fn audit_is_deleted_from_its_oldest_line(store: Arc<dyn Store>) {
    store.append_audit(&demo(1..=10)).await.unwrap();
    assert_eq!(store.delete_audit(1_007, 4).await.unwrap(), 4);
    assert_eq!(records(&store.audit(AuditFilter::default(), None, 20).await.unwrap()), demo((5..=10).rev()));
    assert_eq!(store.delete_audit(1_007, 4).await.unwrap(), 2);
    assert_eq!(store.delete_audit(1_007, 4).await.unwrap(), 0);
    let left = store.audit(AuditFilter::default(), None, 20).await.unwrap();
    assert_eq!(records(&left), demo((7..=10).rev()));

    // An id is not given twice: a page that began before would repeat a line.
    assert_eq!(store.delete_audit(u64::MAX, 20).await.unwrap(), 4);
    store.append_audit(&demo(11..=11)).await.unwrap();
    assert!(store.audit(AuditFilter::default(), None, 1).await.unwrap()[0].id > left[0].id);
}

pub(crate) async fn an_audit_page_is_bounded(store: Arc<dyn Store>) {
    store.append_audit(&demo(1..=HISTORY_LIMIT_MAX as u64 + 1)).await.unwrap();
    assert_eq!(store.audit(AuditFilter::default(), None, usize::MAX).await.unwrap().len(), HISTORY_LIMIT_MAX);
}
