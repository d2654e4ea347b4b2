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
