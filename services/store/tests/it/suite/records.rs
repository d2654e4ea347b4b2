//! Rooms and the gift ledger.

use std::sync::Arc;

use barrage_protocol::Sequence;
use barrage_store::{GiftKind, GiftRecord, Room, Store};

use super::{a_room, carrying, gift, ledger, room, user};

pub(crate) async fn a_room_is_put_and_replaced(store: Arc<dyn Store>) {
    for id in ["c", "a", "b"] {
        store.put_room(&a_room(id, 1_000)).await.unwrap();
    }
    let renamed = Room { title: "New".to_owned(), closed: true, ..a_room("b", 2_000) };
    store.put_room(&renamed).await.unwrap();
    assert_eq!(store.room(&room("b")).await.unwrap(), Some(renamed));
    assert_eq!(store.room(&room("a")).await.unwrap(), Some(a_room("a", 1_000)));
    assert_eq!(store.room(&room("z")).await.unwrap(), None);
    store.ping().await.unwrap();
}

pub(crate) async fn a_gift_is_recorded_once_and_listed_in_order(store: Arc<dyn Store>) {
    let super_chat = GiftRecord {
        user: user("bob"),
        kind: GiftKind::SuperChat,
        name: String::new(),
        currency: Some("CNY".to_owned()),
        combo: None,
        ..gift("demo", 3, 1, 3_000)
    };
    let all = [gift("demo", 1, 2, 100), gift("demo", 2, 3, 100), super_chat.clone(), gift("demo", 4, 1, 10)];
    let entries: Vec<_> = all.iter().cloned().map(carrying).collect();
    assert_eq!(store.append(0, &entries).await.unwrap(), 4);
    assert_eq!(store.append(0, &entries).await.unwrap(), 0);
    assert_eq!(store.append(0, &[carrying(gift("other", 9, 1, 1))]).await.unwrap(), 1);

    assert_eq!(store.gifts(&room("demo"), Sequence(2), 1).await.unwrap(), [super_chat]);
    assert_eq!(ledger(&*store, "demo").await, all);
    assert_eq!(ledger(&*store, "none").await, []);
}

/// An engine that cannot store the character stores another one.
pub(crate) async fn a_nul_in_a_text_does_not_stop_the_ledger(store: Arc<dyn Store>) {
    let odd = "o\0d".to_owned();
    let named = GiftRecord { name: odd.clone(), currency: Some(odd.clone()), ..gift("demo", 1, 2, 100) };
    assert_eq!(store.append(0, &[carrying(named)]).await.unwrap(), 1);
    let stored = ledger(&*store, "demo").await;
    assert!(stored[0].name.starts_with('o') && stored[0].name.ends_with('d'), "{stored:?}");
    assert_eq!(stored[0].amount_minor(), 200);
    store.put_room(&Room { title: odd, ..a_room("demo", 1) }).await.unwrap();
    assert!(store.room(&room("demo")).await.unwrap().unwrap().title.starts_with('o'));
}

pub(crate) async fn an_absurd_price_does_not_stop_the_ledger(store: Arc<dyn Store>) {
    let rich: Vec<_> = (1..=600).map(|n| carrying(gift("demo", n, u32::MAX, u64::MAX))).collect();
    assert_eq!(store.append(0, &rich).await.unwrap(), 600);
    let stored = ledger(&*store, "demo").await;
    assert_eq!(stored.len(), 600);
    assert!(stored.iter().all(|gift| gift.amount_minor() == GiftRecord::AMOUNT_MINOR_MAX));
}
