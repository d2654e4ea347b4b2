use std::sync::atomic::{AtomicUsize, Ordering};

use barrage_protocol::Sequence;
use barrage_protocol::post::History;
use tokio::sync::Notify;

use super::*;
use crate::answer_memory::AnswerMemory;

const BYTES_MAX: u64 = 1 << 20;

fn windows(config: &HistoryConfig) -> Arc<Windows> {
    Arc::new(Windows::new(config, BYTES_MAX))
}

fn key(hidden: u64) -> Key {
    Key { room: "r".parse().unwrap(), delay_ms: 0, hidden }
}

/// An empty window that may be shown for this time; its position is `n`.
async fn window(n: u64, life: Duration) -> Window {
    let units = AnswerMemory::new(1 << 20, 1 << 16).reserve().await.unwrap();
    let history = History { messages: Vec::new(), more: false };
    Window::new(&history, Sequence(n), barrage_clock::now() + life, units, 1 << 16)
}

/// Loads that count themselves, and end when they are told to.
#[derive(Default)]
struct Source {
    begun: AtomicUsize,
    end: Notify,
}

impl Source {
    fn load(self: &Arc<Self>) -> impl Future<Output = Result<Window, Refusal>> + Send + 'static {
        let source = Arc::clone(self);
        async move {
            let n = source.begun.fetch_add(1, Ordering::Relaxed) as u64 + 1;
            source.end.notified().await;
            Ok(window(n, Duration::from_secs(60)).await)
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

async fn until_begun(source: &Source) {
    while source.begun() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_crowd_makes_one_load_also_when_the_first_reader_leaves() {
    let (windows, source) = (windows(&HistoryConfig::default()), Arc::<Source>::default());
    let read = || {
        let (windows, load) = (Arc::clone(&windows), source.load());
        tokio::spawn(async move { windows.load(key(0), load).await })
    };
    let first = read();
    until_begun(&source).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let crowd: Vec<_> = (0..500).map(|_| read()).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    source.end.notify_one();
    for reader in crowd {
        assert_eq!(reader.await.unwrap().unwrap().archived_to, Sequence(1));
    }
    assert_eq!(source.begun(), 1);
    assert_eq!(windows.find(&key(0)).await.unwrap().archived_to, Sequence(1));
    assert!(windows.find(&key(1)).await.is_none(), "behind a signal that hides messages");
}

#[tokio::test]
async fn readers_of_a_slow_store_are_refused_and_told_when_to_come_back() {
    let config = HistoryConfig { wait_ms: 50, waiting_max: 3, ..HistoryConfig::default() };
    let (windows, source) = (windows(&config), Arc::<Source>::default());
    for _ in 0..3 {
        let refusal = windows.load(key(0), source.load()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Overloaded, Some(RETRY_MS)));
    }
    let began = barrage_clock::now();
    let refusal = windows.load(key(0), source.load()).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Overloaded, Some(RETRY_MS)));
    assert!(began.elapsed() < Duration::from_millis(50), "the bound of waiting readers");
    assert_eq!(source.begun(), 1, "one load for all of them");
    source.end.notify_one();
    while windows.find(&key(0)).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.begun(), 1, "the load went on for those who come later");
}

#[tokio::test]
async fn errors_and_windows_that_have_ended_are_not_kept() {
    let windows = windows(&HistoryConfig::default());
    let fail = async || {
        windows
            .load(key(0), async { Err(Refusal::new(Code::Unavailable, "away").retry_after_ms(1_000)) })
            .await
    };
    assert_eq!(fail().await.unwrap_err().code, Code::Unavailable);
    let load = |n, life| async move { Ok(window(n, life).await) };
    assert_eq!(windows.load(key(0), load(2, Duration::ZERO)).await.unwrap().archived_to, Sequence(2));
    assert!(windows.find(&key(0)).await.is_none(), "its second was over when it was read");
    let short = Duration::from_millis(100);
    assert_eq!(windows.load(key(0), load(3, short)).await.unwrap().archived_to, Sequence(3));
    assert!(windows.find(&key(0)).await.is_some());
    tokio::time::sleep(short).await;
    assert!(windows.find(&key(0)).await.is_none());
}

#[tokio::test]
async fn windows_are_bounded_in_bytes() {
    let windows = windows(&HistoryConfig::default());
    let bytes = window(0, Duration::ZERO).await.bytes() as u64;
    for n in 0..3 * BYTES_MAX / bytes {
        let load = async move { Ok(window(n, Duration::from_secs(60)).await) };
        windows.load(key(n), load).await.unwrap();
        windows.sweep().await;
        assert!(windows.kept.weight() <= BYTES_MAX, "{}", windows.kept.weight());
    }
    assert!(windows.kept.weight() > BYTES_MAX / 2);
}
