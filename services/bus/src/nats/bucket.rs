//! Following a bucket: all of it, then each change; all of it again after the
//! connection was lost.

use async_nats::jetstream::kv::{Entry, Operation, Store};
use futures_util::StreamExt;
use tokio::sync::watch;

use super::connect::Disturbances;
use super::link::Pauses;
use super::reader::unavailable;
use crate::bus::BusError;

/// News of a bucket.
pub(crate) enum News {
    /// Everything that it holds.
    All(Vec<Entry>),
    /// One key, put or removed.
    One(Entry),
}

/// Whether a key has a value.
pub(crate) fn is_put(entry: &Entry) -> bool {
    entry.operation == Operation::Put
}

/// Follows until its task is ended. The client's own watch goes on after a reconnect,
/// yet a key that expired meanwhile would stay: so it is read anew.
pub(crate) async fn follow(
    store: Store,
    mut disturbances: watch::Receiver<Disturbances>,
    mut tell: impl FnMut(News),
) {
    let mut pauses = Pauses::new();
    loop {
        drop(disturbances.borrow_and_update());
        match follow_once(&store, &mut disturbances, &mut tell).await {
            Ok(()) => pauses = Pauses::new(),
            Err(error) => {
                tracing::debug!(%error, "a bucket cannot be watched yet");
                pauses.pause().await;
            }
        }
    }
}

async fn follow_once(
    store: &Store,
    disturbances: &mut watch::Receiver<Disturbances>,
    tell: &mut impl FnMut(News),
) -> Result<(), BusError> {
    // `Store::status` would answer how it was when the bucket was opened.
    let is_empty = store.stream.get_info().await.map_err(|e| unavailable(&e))?.state.messages == 0;
    let mut entries = store.watch_with_history(">").await.map_err(|e| unavailable(&e))?;
    let mut all = Vec::new();
    let mut complete = is_empty;
    if complete {
        tell(News::All(Vec::new()));
    }
    loop {
        let entry = tokio::select! {
            entry = entries.next() => entry,
            changed = disturbances.changed() => match changed {
                Ok(()) => return Ok(()),
                Err(_) => entries.next().await,
            },
        };
        let Some(entry) = entry else {
            return Err(BusError::Unavailable("the watch has ended".into()));
        };
        let entry = entry.map_err(|e| unavailable(&e))?;
        if complete {
            tell(News::One(entry));
        } else {
            complete = entry.delta == 0;
            all.push(entry);
            if complete {
                tell(News::All(std::mem::take(&mut all)));
            }
        }
    }
}
