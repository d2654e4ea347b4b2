//! Appending to the message archive, and its history.

use std::sync::Arc;

use barrage_protocol::{Class, Digest, Message, Sequence};
use barrage_store::{ArchiveEntry, Effect, GiftRecord, HISTORY_LIMIT_MAX, HistoryRange, Store, StoreError};

use super::{a_room, chat, gift_entry, kept, ledger, message, room, sequences, user};

const LATEST: HistoryRange = HistoryRange::Latest;

pub(crate) async fn appending_twice_has_the_effect_of_appending_once(store: Arc<dyn Store>) {
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence::ZERO);
    assert_eq!(store.append(0, &[]).await.unwrap(), 0);
    let batch = [chat("demo", 3, 1_003), gift_entry("demo", 7), chat("other", 8, 1_008)];
    assert_eq!(store.append(0, &batch).await.unwrap(), 3);
    assert_eq!(store.append(0, &batch).await.unwrap(), 0);
    assert_eq!(store.append(0, &batch[..1]).await.unwrap(), 0);
    let overlapping = [batch[1].clone(), gift_entry("demo", 11)];
    assert_eq!(store.append(0, &overlapping).await.unwrap(), 1);

    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(11));
    let history = store.history(&room("demo"), LATEST, 10).await.unwrap();
    assert_eq!(sequences(&history), [3, 7, 11]);
    assert_eq!(history.messages[0].body.get(), r#"{"type":"chat","text":"弹幕 3"}"#);
    assert_eq!(history.messages[0].at_ms, 1_003);
    assert_eq!(history.messages[1].class, Class::Gift);
    let amounts: Vec<_> = ledger(&*store, "demo").await.iter().map(GiftRecord::amount_minor).collect();
    assert_eq!(amounts, [100, 100]);
}

pub(crate) async fn another_message_at_a_stored_sequence_is_a_conflict(store: Arc<dyn Store>) {
    store.append(0, &[chat("demo", 3, 1_003)]).await.unwrap();
    let batch = [gift_entry("demo", 2), chat("demo", 3, 9_999), gift_entry("demo", 4)];
    let error = store.append(0, &batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(Sequence(3))), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(3));
    assert_eq!(ledger(&*store, "demo").await, []);
}

pub(crate) async fn a_refused_message_leaves_nothing_of_its_batch(store: Arc<dyn Store>) {
    let pulse = Message { class: Class::Pulse, ..message("demo", 5, 1_000) };
    let broken = Message { body: "{".into(), ..message("demo", 5, 1_000) };
    let not_utf8 = Message { body: b"\"\xff\"".to_vec().into(), ..message("demo", 5, 1_000) };
    let beyond = Message { sequence: Sequence(u64::MAX), ..message("demo", 5, 1_000) };
    for bad in [pulse, broken, not_utf8, beyond, message("demo", 0, 1_000)] {
        let error = store.append(0, &[gift_entry("demo", 4), kept(bad)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unacceptable { .. }), "{error:?}");
        assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence::ZERO);
        assert!(store.history(&room("demo"), LATEST, 10).await.unwrap().messages.is_empty());
    }
}

pub(crate) async fn history_pages_in_both_directions(store: Arc<dyn Store>) {
    // Messages of two rooms alternate, so that the positions of one room have gaps.
    let batch: Vec<_> = (1..=20).map(|n| chat(if n % 2 == 0 { "even" } else { "odd" }, n, n)).collect();
    store.append(0, &batch).await.unwrap();
    let even = room("even");
    let page = async |range, limit| {
        let history = store.history(&even, range, limit).await.unwrap();
        (sequences(&history), history.more)
    };
    assert_eq!(page(HistoryRange::After(Sequence::ZERO), 4).await, (vec![2, 4, 6, 8], true));
    assert_eq!(page(HistoryRange::After(Sequence(8)), 6).await, (vec![10, 12, 14, 16, 18, 20], false));
    assert_eq!(page(HistoryRange::After(Sequence(20)), 4).await, (vec![], false));
    assert_eq!(page(LATEST, 3).await, (vec![16, 18, 20], true));
    assert_eq!(page(HistoryRange::Before(Sequence(16)), 3).await, (vec![10, 12, 14], true));
    assert_eq!(page(HistoryRange::Before(Sequence(10)), 4).await, (vec![2, 4, 6, 8], false));
    assert_eq!(page(HistoryRange::Before(Sequence(0)), 4).await, (vec![], false));
    assert_eq!(page(HistoryRange::Before(Sequence(u64::MAX)), 0).await, (vec![20], true));
}

pub(crate) async fn offsets_count_from_the_stream_of_a_message(store: Arc<dyn Store>) {
    let demo = room("demo");
    let minute = |n: u64| n * 60_000;
    store.put_room(&a_room("demo", 1_000_000)).await.unwrap();
    let batch: Vec<_> = (1..=30).map(|n| chat("demo", n, 1_000_000 + n * 30_000)).collect();
    store.append(0, &batch[..10]).await.unwrap();
    store.append(0, &batch[10..]).await.unwrap();
    let twelve = store.history_by_offset(&demo, minute(12), minute(13), 100).await.unwrap();
    assert_eq!(sequences(&twelve), [24, 25]);
    assert_eq!(twelve.messages[0].offset_ms, minute(12));
    assert!(!twelve.more);
    let page = store.history_by_offset(&demo, 0, u64::MAX, 5).await.unwrap();
    assert_eq!((sequences(&page), page.more), (vec![1, 2, 3, 4, 5], true));

    // A second stream begins; one message of the first one is archived late.
    store.put_room(&a_room("demo", 9_000_000)).await.unwrap();
    store.append(0, &[chat("demo", 40, 1_930_000), chat("demo", 41, 9_000_250)]).await.unwrap();
    let second = store.history_by_offset(&demo, 0, u64::MAX, 100).await.unwrap();
    assert_eq!(sequences(&second), [41]);
    assert_eq!(second.messages[0].offset_ms, 250);
    let late = store.history(&demo, HistoryRange::Before(Sequence(41)), 1).await.unwrap();
    assert_eq!(late.messages[0].offset_ms, 930_000);
}

pub(crate) async fn offsets_of_a_room_without_a_record_count_from_its_first_message(store: Arc<dyn Store>) {
    let new = room("new");
    assert!(store.history_by_offset(&new, 0, 1, 1).await.unwrap().messages.is_empty());
    store.append(0, &[chat("new", 1, 5_000), chat("new", 2, 5_700)]).await.unwrap();
    store.append(0, &[chat("new", 3, 6_000), chat("new", 4, 4_000)]).await.unwrap();
    let all = store.history(&new, LATEST, 10).await.unwrap();
    let offsets: Vec<_> = all.messages.iter().map(|message| message.offset_ms).collect();
    assert_eq!(offsets, [0, 700, 1_000, 0]);
    let some = store.history_by_offset(&new, 500, 1_000, 10).await.unwrap();
    assert_eq!(sequences(&some), [2]);
}

pub(crate) async fn a_recall_hides_messages_of_its_room_only(store: Arc<dyn Store>) {
    let signal = |id, sequence, recalled| {
        let message = Message { class: Class::Signal, ..message(id, sequence, 9_000) };
        ArchiveEntry {
            at: message.sequence,
            message: Arc::new(message),
            effect: Effect::Recall(Sequence(recalled)),
        }
    };
    let first = [chat("demo", 1, 1_000), chat("demo", 2, 2_000), gift_entry("demo", 3)];
    store.append(0, &first).await.unwrap();
    // Recalls in an earlier batch, in the same batch, in another room, and of an unknown message.
    let second = [
        signal("demo", 4, 1),
        chat("demo", 5, 3_000),
        signal("demo", 6, 5),
        signal("other", 7, 2),
        signal("demo", 8, 999),
    ];
    store.append(0, &second).await.unwrap();
    let demo = room("demo");
    let seen = store.history(&demo, LATEST, 10).await.unwrap();
    assert_eq!(sequences(&seen), [2, 3, 4, 6, 8]);

    // Appending the recalled message again does not show it again.
    store.append(0, &first).await.unwrap();
    store.append(0, &[signal("demo", 9, 3)]).await.unwrap();
    let seen = store.history(&demo, LATEST, 10).await.unwrap();
    assert_eq!(sequences(&seen), [2, 4, 6, 8, 9]);
    let seen = store.history_by_offset(&demo, 0, u64::MAX, 10).await.unwrap();
    assert!(!sequences(&seen).contains(&3));
    assert_eq!(ledger(&*store, "demo").await.len(), 1);
}

pub(crate) async fn a_purge_and_a_clear_hide_what_was_before_them(store: Arc<dyn Store>) {
    let demo = room("demo");
    let signal = |id, sequence, effect| {
        let message =
            Message { class: Class::Signal, sender: None, ..message(id, sequence, 1_000 + sequence) };
        ArchiveEntry { at: message.sequence, message: Arc::new(message), effect }
    };
    let by = |name, sequence| {
        kept(Message { sender: Some(user(name)), ..message("demo", sequence, 1_000 + sequence) })
    };
    let purge = |name| Effect::Purge(user(name));
    let seen = async |range| sequences(&store.history(&demo, range, 100).await.unwrap());
    let all = HistoryRange::After(Sequence::ZERO);
    store
        .append(0, &[by("ann", 1), by("bob", 2), gift_entry("demo", 3), chat("other", 4, 1_004)])
        .await
        .unwrap();
    let batch =
        [by("ann", 5), signal("demo", 6, purge("ann")), by("ann", 7), signal("demo", 8, purge("eve"))];
    store.append(0, &batch).await.unwrap();
    for range in [LATEST, all, HistoryRange::Before(Sequence(9))] {
        assert_eq!(seen(range).await, [2, 6, 7, 8], "{range:?}");
    }
    let by_offset = store.history_by_offset(&demo, 0, u64::MAX, 100).await.unwrap();
    assert_eq!(sequences(&by_offset), [2, 6, 7, 8]);
    assert_eq!(sequences(&store.history(&room("other"), LATEST, 10).await.unwrap()), [4]);
    assert_eq!(ledger(&*store, "demo").await.len(), 1, "the ledger keeps what was paid");

    // A purge that is archived again, and an older one, show nothing again.
    store.append(0, &batch).await.unwrap();
    store.append(0, &[signal("demo", 9, purge("ann"))]).await.unwrap();
    assert_eq!(seen(all).await, [2, 6, 8, 9]);

    let clears = [by("bob", 10), signal("demo", 11, Effect::Clear), by("bob", 12)];
    store.append(0, &clears).await.unwrap();
    for range in [LATEST, all, HistoryRange::Before(Sequence(13))] {
        assert_eq!(seen(range).await, [11, 12], "{range:?}");
    }
    let page = store.history(&demo, all, 1).await.unwrap();
    assert_eq!((sequences(&page), page.more), (vec![11], true));
    assert_eq!(seen(HistoryRange::Before(Sequence(11))).await, [0_u64; 0]);
    let by_offset = store.history_by_offset(&demo, 0, u64::MAX, 100).await.unwrap();
    assert_eq!(sequences(&by_offset), [11, 12]);

    // Retention deletes what is hidden and then what hides it; nothing is shown again meanwhile.
    store.delete_messages(1_010, 3).await.unwrap();
    assert_eq!(seen(all).await, [11, 12]);
    while store.delete_messages(1_012, 3).await.unwrap() == 3 {
        assert!(seen(all).await.iter().all(|sequence| *sequence >= 11));
    }
    assert_eq!(seen(all).await, [12]);
}

pub(crate) async fn a_message_for_one_user_is_not_in_the_history(store: Arc<dyn Store>) {
    let private = Message { to: Some(user("bob")), ..message("demo", 2, 2_000) };
    store.append(0, &[chat("demo", 1, 1_000), kept(private)]).await.unwrap();
    let seen = store.history(&room("demo"), LATEST, 10).await.unwrap();
    assert_eq!(sequences(&seen), [1]);
    let seen = store.history_by_offset(&room("demo"), 0, u64::MAX, 10).await.unwrap();
    assert_eq!(sequences(&seen), [1]);
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(2));
}

pub(crate) async fn retention_deletes_in_chunks_and_keeps_position_and_ledger(store: Arc<dyn Store>) {
    let batch: Vec<_> = (1..=25).map(|n| gift_entry("demo", n)).collect();
    store.append(0, &batch).await.unwrap();
    // The message at sequence n was accepted at 1,000 + n.
    assert_eq!(store.delete_messages(1_024, 10).await.unwrap(), 10);
    assert_eq!(sequences(&store.history(&room("demo"), LATEST, 100).await.unwrap())[0], 11);
    assert_eq!(store.delete_messages(1_024, 20).await.unwrap(), 13);
    assert_eq!(store.delete_messages(u64::MAX, 20).await.unwrap(), 2);
    assert_eq!(store.delete_messages(u64::MAX, 20).await.unwrap(), 0);
    assert_eq!(store.archived_up_to(0).await.unwrap(), Sequence(25));
    assert_eq!(ledger(&*store, "demo").await.len(), 25);
}

pub(crate) async fn a_batch_larger_than_a_statement_is_stored_completely(store: Arc<dyn Store>) {
    let batch: Vec<_> = (1..=1_234).map(|n| gift_entry("demo", n)).collect();
    store.append(0, &batch[600..700]).await.unwrap();
    assert_eq!(store.append(0, &batch).await.unwrap(), 1_134);
    let demo = room("demo");
    let after = |sequence| HistoryRange::After(Sequence(sequence));
    let first = store.history(&demo, after(0), usize::MAX).await.unwrap();
    assert_eq!((first.messages.len(), first.more), (HISTORY_LIMIT_MAX, true));
    let rest = store.history(&demo, after(1_000), 500).await.unwrap();
    assert_eq!(sequences(&rest), (1_001..=1_234).collect::<Vec<_>>());
}

/// After a failure several processes may act as the archiver, each a little behind another.
pub(crate) async fn overlapping_archivers_neither_lose_nor_double_messages(store: Arc<dyn Store>) {
    let archivers: Vec<_> = (0..6u64)
        .map(|archiver| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut new, mut position) = (0, Sequence::ZERO);
                for batch in 0..20 {
                    let first = batch * 10 + 1;
                    let last = (first + 9 + archiver).min(200);
                    let mut entries: Vec<_> = (first..=last).map(|n| gift_entry("demo", n)).collect();
                    if archiver % 2 == 1 {
                        entries.reverse();
                    }
                    new += store.append(0, &entries).await.unwrap();
                    let now = store.archived_up_to(0).await.unwrap();
                    assert!(now >= position.max(Sequence(last)), "the position decreased");
                    position = now;
                }
                new
            })
        })
        .collect();
    let mut new = 0;
    for archiver in archivers {
        new += archiver.await.unwrap();
    }
    assert_eq!(new, 200);
    assert_eq!(super::cut::assert_complete(&*store, 10).await, 200);
}

pub(crate) async fn a_medium_is_used_while_a_message_shows_it(store: Arc<dyn Store>) {
    let (cat, dog) = (Digest::new([0xca; 32]), Digest::new([0xd0; 32]));
    let with = |n: u64, sender: &str, digest: Digest| {
        let body =
            format!(r#"{{"type":"chat","text":"弹幕 {n}","media":{{"digest":"{digest}","kind":"image"}}}}"#);
        kept(Message { body: body.into(), sender: Some(user(sender)), ..message("demo", n, n) })
    };
    let quoted = format!(r#"{{"type":"chat","text":"\"media\":{{\"digest\":\"{dog}\"}}"}}"#);
    let quoting = kept(Message { body: quoted.into(), ..message("demo", 9, 9) });
    store.append(0, &[with(1, "ann", cat), with(2, "bo", cat), quoting]).await.unwrap();
    assert!(store.shows_medium(cat).await.unwrap());
    assert!(!store.shows_medium(dog).await.unwrap(), "a text names no medium");
    let gallery = async |before, limit| {
        let range = HistoryRange::MediaBefore(Sequence(before));
        let page = store.history(&room("demo"), range, limit).await.unwrap();
        (page.messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(gallery(u64::MAX, 100).await, (vec![1, 2], false), "a text names no medium");
    assert_eq!(gallery(u64::MAX, 1).await, (vec![2], true));
    assert_eq!(gallery(2, 1).await, (vec![1], false));
    let effect = |n, effect| ArchiveEntry { effect, ..chat("demo", n, n) };
    store.append(0, &[effect(11, Effect::Recall(Sequence(1)))]).await.unwrap();
    assert!(store.shows_medium(cat).await.unwrap(), "bo's message shows it");
    assert_eq!(gallery(u64::MAX, 100).await, (vec![2], false), "a recalled message is not shown");
    store.append(0, &[effect(12, Effect::Purge(user("bo")))]).await.unwrap();
    assert!(!store.shows_medium(cat).await.unwrap());
    store.append(0, &[with(13, "bo", cat)]).await.unwrap();
    assert!(store.shows_medium(cat).await.unwrap(), "a message behind the purge");
    assert_eq!(gallery(u64::MAX, 100).await, (vec![13], false), "a purged message is not shown");
    assert_eq!(store.delete_messages(14, 100).await.unwrap(), 6);
    assert!(!store.shows_medium(cat).await.unwrap());
}
