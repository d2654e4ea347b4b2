use barrage_protocol::Class;
use barrage_protocol::post::{HistoryMessage, HistoryPage};
use serde_json::Value;

use super::*;

fn history(messages: u64, text_bytes: usize, more: bool) -> History {
    let message = |n| HistoryMessage {
        sequence: Sequence(n),
        class: Class::Chat,
        at_ms: n,
        offset_ms: 10 * n,
        body: serde_json::value::to_raw_value(&"x".repeat(text_bytes)).unwrap(),
    };
    History { messages: (1..=messages).map(message).collect(), more }
}

fn read_page(history: &History, span: Span, bytes_max: usize) -> (Vec<u64>, Value) {
    let bytes = page(history, span, bytes_max);
    assert!(bytes.len() <= bytes_max.max(1_200), "{} bytes", bytes.len());
    let mut page: Value = serde_json::from_slice(&bytes).unwrap();
    let parsed: HistoryPage = serde_json::from_slice(&bytes).unwrap();
    page["messages"] = Value::Null;
    (parsed.messages.iter().map(|message| message.sequence.0).collect(), page)
}

#[test]
fn long_page_is_cut_and_names_the_next_page() {
    let history = history(100, 1_000, false);
    let (kept, page) = read_page(&history, Span::After(Sequence(0)), 4_096);
    assert_eq!((kept, &page["more"], &page["next"]["after"]), (vec![1, 2, 3], &true.into(), &3.into()));
    let (kept, page) = read_page(&history, Span::Before(None), 4_096);
    assert_eq!((kept, &page["next"]["before"]), (vec![98, 99, 100], &98.into()));
    let (kept, page) = read_page(&history, Span::Offsets { from_ms: 0, to_ms: 9_999 }, 4_096);
    assert_eq!((kept, &page["next"]["from_ms"]), (vec![1, 2, 3], &30.into()));
}

#[test]
fn a_page_ends_before_what_viewers_get_later() {
    let shown = |span, to_ms| {
        let mut history = history(4, 10, true);
        show_to(&mut history, span, to_ms);
        (history.messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), history.more)
    };
    assert_eq!(shown(Span::After(Sequence(0)), 2), (vec![1, 2], false));
    assert_eq!(shown(Span::After(Sequence(0)), 4), (vec![1, 2, 3, 4], true));
    assert_eq!(shown(Span::Before(None), 3), (vec![1, 2, 3], true));
}

#[tokio::test]
async fn the_newest_page_of_viewers_is_behind_all_that_they_get_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let store =
        barrage_store::SqliteStore::open(&path, &barrage_store::SqliteConfig::default()).await.unwrap();
    let room: RoomId = "r".parse().unwrap();
    let entry = |n: u64| barrage_store::ArchiveEntry {
        message: Arc::new(barrage_protocol::Message {
            room: room.clone(),
            sequence: Sequence(n),
            previous: Sequence(n - 1),
            class: Class::Chat,
            sender: None,
            id: None,
            to: None,
            at_ms: n,
            trace: None,
            body: "{}".into(),
        }),
        effect: barrage_store::Effect::None,
    };
    store.append(0, &(1..=3_000).map(entry).collect::<Vec<_>>()).await.unwrap();
    let read = async |span, limit, shown_to_ms| {
        let history = read_shown(&store, &room, span, limit, shown_to_ms).await.unwrap();
        (history.messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), history.more)
    };
    assert_eq!(read(Span::Before(None), 3, 400).await, (vec![398, 399, 400], true));
    assert_eq!(read(Span::Before(None), 3, 2).await, (vec![1, 2], false));
    assert_eq!(read(Span::Before(None), 3, 0).await, (vec![], false));
    assert_eq!(read(Span::Before(None), 3, 2_999).await, (vec![2_998, 2_999], true));
    assert_eq!(read(Span::After(Sequence(2)), 3, 2).await, (vec![], false));
}

#[test]
fn every_page_has_a_message_and_the_last_page_has_no_next() {
    let (kept, page) = read_page(&history(2, 1_000, false), Span::After(Sequence(0)), 10);
    assert_eq!((kept, &page["next"]["after"]), (vec![1], &1.into()));
    let (kept, page) = read_page(&history(3, 10, false), Span::Before(None), 4_096);
    assert_eq!((kept.len(), &page["more"], &page["next"]), (3, &false.into(), &Value::Null));
    let (kept, page) = read_page(&history(3, 10, true), Span::Before(Some(Sequence(9))), 4_096);
    assert_eq!((kept.len(), &page["more"], &page["next"]["before"]), (3, &true.into(), &1.into()));
    let (kept, page) = read_page(&history(0, 0, false), Span::Before(None), 4_096);
    assert_eq!((kept.len(), &page["more"], &page["next"]), (0, &false.into(), &Value::Null));
}
