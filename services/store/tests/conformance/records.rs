//! Rooms, mutes and the ledger.

use std::sync::Arc;

use barrage_protocol::Sequence;
use barrage_store::{GiftKind, GiftRecord, GiftSum, Mute, Room, Store};

use super::{a_room, gift, room, user};

pub(crate) async fn rooms_are_put_listed_and_closed(store: Arc<dyn Store>) {
    for id in ["c", "a", "b"] {
        store.put_room(&a_room(id, 1_000)).await.unwrap();
    }
    let renamed = Room { title: "New".to_owned(), ..a_room("b", 2_000) };
    store.put_room(&renamed).await.unwrap();
    assert_eq!(store.room(&room("b")).await.unwrap(), Some(renamed));
    assert_eq!(store.room(&room("z")).await.unwrap(), None);

    let first = store.rooms(None, 2).await.unwrap();
    assert_eq!(first.iter().map(|room| room.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let rest = store.rooms(Some(&first[1].id), 2).await.unwrap();
    assert_eq!(rest, [a_room("c", 1_000)]);

    assert!(store.close_room(&room("a")).await.unwrap());
    assert!(!store.close_room(&room("z")).await.unwrap());
    assert!(store.room(&room("a")).await.unwrap().unwrap().closed);
    store.ping().await.unwrap();
}

pub(crate) async fn mutes_hold_until_their_end(store: Arc<dyn Store>) {
    let mute = |id: &str, until_ms| Mute { room: room("demo"), user: user(id), until_ms };
    for one in [mute("bob", 100), mute("ann", 50), mute("cat", 200), mute("ann", 150)] {
        store.mute(&one).await.unwrap();
    }
    let demo = room("demo");
    assert_eq!(store.muted_until(&demo, &user("ann"), 149).await.unwrap(), Some(150));
    assert_eq!(store.muted_until(&demo, &user("ann"), 150).await.unwrap(), None);
    assert_eq!(store.muted_until(&room("other"), &user("ann"), 0).await.unwrap(), None);

    let first = store.active_mutes(&demo, 99, None, 2).await.unwrap();
    assert_eq!(first, [mute("ann", 150), mute("bob", 100)]);
    let rest = store.active_mutes(&demo, 99, Some(&user("bob")), 2).await.unwrap();
    assert_eq!(rest, [mute("cat", 200)]);

    assert!(store.unmute(&demo, &user("cat")).await.unwrap());
    assert!(!store.unmute(&demo, &user("cat")).await.unwrap());
    assert_eq!(store.delete_ended_mutes(100, 10).await.unwrap(), 1);
    assert_eq!(store.active_mutes(&demo, 0, None, 10).await.unwrap(), [mute("ann", 150)]);
}

pub(crate) async fn ids_are_ordered_by_their_bytes(store: Arc<dyn Store>) {
    for id in ["b", "A", "_", "a", "B", "-"] {
        store.put_room(&a_room(id, 1_000)).await.unwrap();
        store.mute(&Mute { room: room("demo"), user: user(id), until_ms: 100 }).await.unwrap();
    }
    let ordered = ["-", "A", "B", "_", "a", "b"];
    let (mut rooms, mut users) = (Vec::new(), Vec::new());
    while let Some(next) = store.rooms(rooms.last(), 1).await.unwrap().pop() {
        rooms.push(next.id);
    }
    while let Some(next) = store.active_mutes(&room("demo"), 0, users.last(), 1).await.unwrap().pop() {
        users.push(next.user);
    }
    assert_eq!(rooms, ordered.map(room));
    assert_eq!(users, ordered.map(user));
}

/// An engine that cannot keep it may keep another character.
pub(crate) async fn a_nul_in_a_text_stops_nothing(store: Arc<dyn Store>) {
    let odd = "o\0d".to_owned();
    let named = GiftRecord { name: odd.clone(), currency: Some(odd.clone()), ..gift("demo", 1, 2, 100) };
    assert_eq!(store.record_gifts(&[named]).await.unwrap(), 1);
    assert_eq!(store.gift_sums(&room("demo"), None).await.unwrap()[0].amount_minor, 200);
    assert_eq!(store.gift_ranking(&room("demo"), Some(&odd), 1).await.unwrap()[0].1.amount_minor, 200);
    store.put_room(&Room { title: odd.clone(), ..a_room("demo", 1) }).await.unwrap();
    assert!(store.room(&room("demo")).await.unwrap().unwrap().title.starts_with('o'));
}

pub(crate) async fn gifts_are_recorded_once_and_summed(store: Arc<dyn Store>) {
    let super_chat = GiftRecord {
        user: user("bob"),
        kind: GiftKind::SuperChat,
        name: String::new(),
        currency: Some("CNY".to_owned()),
        combo: None,
        ..gift("demo", 3, 1, 3_000)
    };
    let bobs = GiftRecord { user: user("bob"), ..gift("demo", 4, 1, 10) };
    let all = [gift("demo", 1, 2, 100), gift("demo", 2, 3, 100), super_chat.clone(), bobs];
    assert_eq!(store.record_gifts(&all).await.unwrap(), 4);
    assert_eq!(store.record_gifts(&all).await.unwrap(), 0);
    assert_eq!(store.record_gifts(&[]).await.unwrap(), 0);
    assert_eq!(store.record_gifts(&[gift("other", 9, 1, 1)]).await.unwrap(), 1);

    let demo = room("demo");
    assert_eq!(store.gifts(&demo, Sequence(2), 1).await.unwrap(), [super_chat]);
    assert_eq!(store.gifts(&demo, Sequence::ZERO, 10).await.unwrap(), all);

    let coins = |entries, count, amount_minor| GiftSum { currency: None, entries, count, amount_minor };
    let yuan = GiftSum { currency: Some("CNY".to_owned()), entries: 1, count: 1, amount_minor: 3_000 };
    assert_eq!(store.gift_sums(&demo, None).await.unwrap(), [coins(3, 6, 510), yuan.clone()]);
    assert_eq!(store.gift_sums(&demo, Some(&user("ann"))).await.unwrap(), [coins(2, 5, 500)]);
    assert_eq!(store.gift_sums(&room("none"), None).await.unwrap(), []);

    let ranking = store.gift_ranking(&demo, None, 10).await.unwrap();
    assert_eq!(ranking, [(user("ann"), coins(2, 5, 500)), (user("bob"), coins(1, 1, 10))]);
    let ranking = store.gift_ranking(&demo, Some("CNY"), 10).await.unwrap();
    assert_eq!(ranking, [(user("bob"), yuan)]);
}

pub(crate) async fn sums_beyond_64_bits_do_not_fail(store: Arc<dyn Store>) {
    let rich: Vec<_> = (1..=2_100).map(|n| gift("demo", n, u32::MAX, u64::MAX)).collect();
    assert_eq!(store.record_gifts(&rich).await.unwrap(), 2_100);
    let sums = store.gift_sums(&room("demo"), None).await.unwrap();
    assert_eq!(sums[0].amount_minor, u64::MAX);
    assert_eq!(sums[0].count, 2_100 * u64::from(u32::MAX));

    // The halves must order as the whole does.
    let many = (0..3).map(|n| GiftRecord { user: user("many"), ..gift("b", 5_000 + n, 1, (1 << 32) - 1) });
    let one = GiftRecord { user: user("one"), ..gift("b", 5_003, 1, 2 << 32) };
    store.record_gifts(&many.chain([one]).collect::<Vec<_>>()).await.unwrap();
    let ranking = store.gift_ranking(&room("b"), None, 10).await.unwrap();
    let amounts: Vec<_> = ranking.iter().map(|(user, sum)| (user.as_str(), sum.amount_minor)).collect();
    assert_eq!(amounts, [("many", 3 * ((1 << 32) - 1)), ("one", 2 << 32)]);
}
