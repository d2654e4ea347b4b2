//! Checks of a store after a write was interrupted.

use std::task::Poll;

use barrage_protocol::Sequence;
use barrage_store::{HistoryRange, Store};

use super::{room, sequences};

/// Asserts that archive, ledger and position agree on complete batches; returns the position.
pub(crate) async fn assert_complete(store: &dyn Store, batch_len: u64) -> u64 {
    let up_to = store.archived_up_to(0).await.unwrap().0;
    assert_eq!(up_to % batch_len, 0, "a batch was stored in part");
    let demo = room("demo");
    let mut seen = 0;
    while seen < up_to {
        let after = HistoryRange::After(Sequence(seen));
        let page = sequences(&store.history(&demo, after, 1_000).await.unwrap());
        let ledger = store.gifts(&demo, Sequence(seen), 1_000).await.unwrap();
        let last = up_to.min(seen + 1_000);
        assert!(page.iter().copied().eq(seen + 1..=last), "history after {seen} of {up_to}: {page:?}");
        assert!(page.iter().copied().eq(ledger.iter().map(|gift| gift.sequence.0)), "ledger after {seen}");
        seen = last;
    }
    let beyond = store.history(&demo, HistoryRange::After(Sequence(up_to)), 1).await.unwrap();
    assert!(beyond.messages.is_empty(), "a message beyond the position");
    up_to
}

/// Polls the future at most `polls` times, then drops it unfinished.
pub(crate) async fn first_polls<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(context).map(Some);
        // Without this the last poll would wait for a wake-up.
        if polled.is_pending() && left == 0 { Poll::Ready(None) } else { polled }
    })
    .await
}
