//! Deliveries of webhooks: positions, events that wait, the log and its bounds.

use std::sync::Arc;

use barrage_protocol::Sequence;
use barrage_store::{Attempt, DeliveryState, DeliveryStore, EndpointRecord, NewDelivery, Replay, Store};

fn event(number: u64) -> NewDelivery {
    NewDelivery {
        event: format!("demo/{number}"),
        kind: "gift.created".into(),
        at_ms: 1_000 + number,
        body: format!(r#"{{"n":{number}}}"#),
    }
}

fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<NewDelivery> {
    numbers.map(event).collect()
}

fn attempt(state: DeliveryState, attempts: u32, next_at_ms: u64, status: Option<u16>) -> Attempt {
    let error = (state != DeliveryState::Delivered).then(|| "it\0failed".to_owned());
    Attempt { state, attempts, next_at_ms, at_ms: 5_000, status, error }
}

async fn waiting(deliveries: &dyn DeliveryStore, endpoint: &str) -> Vec<String> {
    let pending = deliveries.pending(endpoint, 1_000).await.unwrap();
    pending.into_iter().map(|pending| pending.event).collect()
}

pub(crate) async fn an_event_is_stored_once_with_the_mark_of_its_receiver(store: Arc<dyn Store>) {
    let deliveries = store.deliveries();
    assert_eq!(deliveries.mark("a", 0).await.unwrap(), None);
    deliveries.enqueue("a", 0, Sequence(3), &events(1..=3)).await.unwrap();
    deliveries.enqueue("a", 0, Sequence(4), &events(2..=4)).await.unwrap();
    deliveries.enqueue("a", 0, Sequence(2), &events(2..=2)).await.unwrap();
    deliveries.enqueue("b", 1, Sequence(9), &[]).await.unwrap();
    assert_eq!(deliveries.mark("a", 0).await.unwrap(), Some(Sequence(4)));
    assert_eq!(deliveries.mark("b", 1).await.unwrap(), Some(Sequence(9)));
    assert_eq!(deliveries.mark("b", 0).await.unwrap(), None);
    assert_eq!(waiting(deliveries, "a").await, ["demo/1", "demo/2", "demo/3", "demo/4"]);
    assert!(waiting(deliveries, "b").await.is_empty());
}

pub(crate) async fn attempts_move_an_event_through_its_states(store: Arc<dyn Store>) {
    let deliveries = store.deliveries();
    deliveries.enqueue("a", 0, Sequence(3), &events(1..=3)).await.unwrap();
    let ids: Vec<_> = deliveries.pending("a", 10).await.unwrap().into_iter().map(|it| it.id).collect();
    let record = async |index: usize, attempt: Attempt| {
        deliveries.record_attempt(ids[index], &attempt).await.unwrap();
    };
    record(0, attempt(DeliveryState::Delivered, 1, 0, Some(204))).await;
    record(1, attempt(DeliveryState::Pending, 1, 9_000, None)).await;
    record(2, attempt(DeliveryState::Failed, 9, 0, Some(500))).await;
    let pending = deliveries.pending("a", 10).await.unwrap();
    assert_eq!((pending.len(), pending[0].attempts, pending[0].next_at_ms), (1, 1, 9_000));
    let counts = deliveries.delivery_counts("a").await.unwrap();
    assert_eq!((counts.pending, counts.delivered, counts.failed), (1, 1, 1));
    assert_eq!(counts.oldest_pending_at_ms, Some(1_002));
    let log = deliveries.delivery_log("a", None, None, 2).await.unwrap();
    assert_eq!((log[0].event.as_str(), log[0].status), ("demo/3", Some(500)));
    assert!(log[0].error.as_ref().unwrap().starts_with("it"));
    assert_eq!((log[1].event.as_str(), log[1].status, log[1].next_at_ms), ("demo/2", None, Some(9_000)));
    let older = deliveries.delivery_log("a", None, Some(log[1].id), 2).await.unwrap();
    assert_eq!((older.len(), older[0].state, older[0].next_at_ms), (1, DeliveryState::Delivered, None));
    let failed = deliveries.delivery_log("a", Some(DeliveryState::Failed), None, 10).await.unwrap();
    assert_eq!(failed.len(), 1);
}

pub(crate) async fn a_replay_makes_events_wait_again(store: Arc<dyn Store>) {
    let deliveries = store.deliveries();
    deliveries.enqueue("a", 0, Sequence(4), &events(1..=4)).await.unwrap();
    for pending in deliveries.pending("a", 10).await.unwrap() {
        deliveries.record_attempt(pending.id, &attempt(DeliveryState::Failed, 9, 0, None)).await.unwrap();
    }
    assert_eq!(deliveries.replay("a", Replay::Event("demo/1"), 77).await.unwrap(), 1);
    assert_eq!(deliveries.replay("a", Replay::Event("demo/9"), 77).await.unwrap(), 0);
    let since = Replay::Since { state: DeliveryState::Failed, from_ms: 1_003 };
    assert_eq!(deliveries.replay("a", since, 78).await.unwrap(), 2);
    let pending = deliveries.pending("a", 10).await.unwrap();
    let shown: Vec<_> = pending.iter().map(|it| (it.event.as_str(), it.attempts, it.next_at_ms)).collect();
    assert_eq!(shown, [("demo/1", 0, 77), ("demo/3", 0, 78), ("demo/4", 0, 78)]);
}

pub(crate) async fn the_log_is_bounded_by_time_and_lines_and_pending_events_stay(store: Arc<dyn Store>) {
    let deliveries = store.deliveries();
    deliveries.enqueue("a", 0, Sequence(6), &events(1..=6)).await.unwrap();
    for pending in deliveries.pending("a", 10).await.unwrap().iter().filter(|it| it.event != "demo/1") {
        deliveries
            .record_attempt(pending.id, &attempt(DeliveryState::Delivered, 1, 0, Some(200)))
            .await
            .unwrap();
    }
    assert_eq!(deliveries.sweep_deliveries("a", 1_003, 100, 100).await.unwrap(), 1, "demo/2 is old");
    assert_eq!(deliveries.sweep_deliveries("a", 0, 2, 1).await.unwrap(), 1, "one at a time");
    assert_eq!(deliveries.sweep_deliveries("a", 0, 2, 100).await.unwrap(), 1);
    assert_eq!(deliveries.sweep_deliveries("a", 0, 2, 100).await.unwrap(), 0);
    let log = deliveries.delivery_log("a", None, None, 10).await.unwrap();
    let left: Vec<_> = log.iter().map(|line| line.event.as_str()).collect();
    assert_eq!(left, ["demo/6", "demo/5", "demo/1"]);
}

pub(crate) async fn a_disabled_receiver_stays_disabled_over_a_restart(store: Arc<dyn Store>) {
    let deliveries = store.deliveries();
    let record = EndpointRecord {
        name: "a".into(),
        url: "https://hook.example/***".into(),
        events: "*".into(),
        disabled_reason: None,
        disabled_at_ms: None,
        seen_at_ms: 5,
    };
    assert!(!deliveries.disable_endpoint("a", Some(("gone", 7))).await.unwrap());
    deliveries.put_endpoint(&record).await.unwrap();
    assert!(deliveries.disable_endpoint("a", Some(("gone", 7))).await.unwrap());
    deliveries.put_endpoint(&EndpointRecord { seen_at_ms: 9, ..record.clone() }).await.unwrap();
    let found = deliveries.endpoint("a").await.unwrap().unwrap();
    assert_eq!(
        (found.disabled_reason.as_deref(), found.disabled_at_ms, found.seen_at_ms),
        (Some("gone"), Some(7), 9)
    );
    assert!(deliveries.disable_endpoint("a", None).await.unwrap());
    assert_eq!(deliveries.endpoints().await.unwrap(), [EndpointRecord { seen_at_ms: 9, ..record }]);
    assert_eq!(deliveries.endpoint("b").await.unwrap(), None);
}
