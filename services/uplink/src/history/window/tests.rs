use barrage_protocol::Class;
use barrage_protocol::post::{HistoryMessage, HistoryPage};
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::answer_memory::AnswerMemory;
use crate::history::{Span, page};

const ANSWER_BYTES_MAX: usize = 16 * 1_024;

fn history(sequences: &[u64], text_bytes: usize, more: bool) -> History {
    let message = |n: &u64| HistoryMessage {
        sequence: Sequence(*n),
        class: Class::Chat,
        at_ms: *n,
        offset_ms: 10 * n,
        body: serde_json::value::to_raw_value(&"x".repeat(text_bytes)).unwrap(),
    };
    History { messages: sequences.iter().map(message).collect(), more }
}

fn window(history: &History) -> Window {
    window_in(history, ANSWER_BYTES_MAX)
}

fn window_in(history: &History, answer_bytes_max: usize) -> Window {
    let units = reserve(&memory()).unwrap();
    Window::new(history, Sequence(7), barrage_clock::now(), units, answer_bytes_max)
}

fn memory() -> AnswerMemory {
    AnswerMemory::new(64 * ANSWER_BYTES_MAX, ANSWER_BYTES_MAX)
}

/// Reserves memory for the largest answer; `None` when there is none at once.
fn reserve(memory: &AnswerMemory) -> Option<Reserved> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { memory.reserve().now_or_never() })?.ok()
}

fn sequences(bytes: &[u8]) -> (Vec<u64>, bool, Option<u64>) {
    let page: HistoryPage = serde_json::from_slice(bytes).unwrap();
    let next = page.next.and_then(|next| next.before).map(|before| before.0);
    (page.messages.iter().map(|message| message.sequence.0).collect(), page.more, next)
}

/// The page of the store, which the window must repeat.
fn of_store(all: &History, before: Option<Sequence>, limit: usize, bytes_max: usize) -> Vec<u8> {
    let is_before = |message: &&HistoryMessage| before.is_none_or(|before| message.sequence < before);
    let found: Vec<_> = all.messages.iter().filter(is_before).cloned().collect();
    let from = found.len().saturating_sub(limit);
    let part = History { messages: found[from..].to_vec(), more: all.more || from > 0 };
    page(&part, Span::Before(before), bytes_max)
}

proptest! {
    /// A page out of the window has the bytes of the page that the store would give.
    #[test]
    fn a_page_of_the_window_is_the_page_of_the_store(
        gaps in prop::collection::vec(1..4_u64, 0..40), text_bytes in 0..60_usize, more in any::<bool>(),
        before in prop::option::of(0..140_u64), limit in 1..50_usize, bytes_max in 300..6_000_usize,
    ) {
        let positions: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let all = history(&positions, text_bytes, more);
        let before = before.map(Sequence);
        let expected = of_store(&all, before, limit, bytes_max);
        // Large enough for all messages.
        match window_in(&all, 4 * ANSWER_BYTES_MAX).cut(before, limit, bytes_max) {
            Some(bytes) => prop_assert_eq!(String::from_utf8(bytes), String::from_utf8(expected)),
            None => {
                let known = positions.iter().filter(|at| before.is_some_and(|before| **at < before.0)).count();
                prop_assert!(more && known < limit, "the window has the page");
            }
        }
    }
}

#[test]
fn readers_of_one_limit_share_the_bytes_of_their_answer() {
    let window = window(&history(&[3, 5, 9], 10, true));
    let [newest, again, behind] = [None, None, Some(Sequence(12))].map(|it| window.ready(it, 2).unwrap());
    assert_eq!(newest.body.as_ptr(), again.body.as_ptr());
    assert_eq!(newest.body.as_ptr(), behind.body.as_ptr(), "what is before a later position is the same");
    assert_eq!(sequences(&newest.body), (vec![5, 9], true, Some(5)));
    assert!(window.ready(Some(Sequence(9)), 2).is_none(), "a position in the window");
    let other = window.ready(None, 3).unwrap();
    assert_ne!(other.tag, newest.tag);
    assert!(window.ready(None, 1).is_none(), "a third limit is cut for each reader");
    assert_eq!(sequences(&window.cut(None, 1, usize::MAX).unwrap()), (vec![9], true, Some(9)));
}

#[test]
fn large_messages_make_a_window_short_and_it_says_so() {
    let window = window(&history(&(1..=100).collect::<Vec<_>>(), 1_000, false));
    let (kept, more, next) = sequences(&window.ready(None, 100).unwrap().body);
    assert_eq!((&kept[..], more, next), (&[98, 99, 100][..], true, Some(98)));
    assert!(window.bytes() <= ANSWER_BYTES_MAX, "{}", window.bytes());
    assert!(window.cut(Some(Sequence(99)), 30, usize::MAX).is_none(), "the store has older ones");
}

#[test]
fn an_empty_room_has_a_page_and_another_uplink_reads_the_same() {
    let empty = window(&history(&[], 0, false));
    assert_eq!(sequences(&empty.ready(Some(Sequence(4)), 30).unwrap().body), (vec![], false, None));
    for history in [history(&[], 0, false), history(&[2, 3], 5, true)] {
        let made = window(&history);
        let units = reserve(&memory()).unwrap();
        let read = Window::parse(&made.shared(), made.until, units, ANSWER_BYTES_MAX).unwrap();
        assert_eq!(read.archived_to, Sequence(7));
        assert_eq!(read.ready(None, 30).unwrap().body, made.ready(None, 30).unwrap().body);
    }
    let units = reserve(&memory()).unwrap();
    assert!(Window::parse(b"{}", barrage_clock::now(), units, ANSWER_BYTES_MAX).is_none());
}

#[test]
fn an_answer_holds_the_memory_of_its_window() {
    let memory = AnswerMemory::new(ANSWER_BYTES_MAX, ANSWER_BYTES_MAX);
    let units = reserve(&memory).unwrap();
    let window =
        Window::new(&history(&[1], 3_000, false), Sequence(1), barrage_clock::now(), units, ANSWER_BYTES_MAX);
    let ready = window.ready(None, 30).unwrap();
    drop(window);
    assert!(reserve(&memory).is_none(), "the answer is still to be written");
    drop(ready);
    assert!(reserve(&memory).is_some());
}
