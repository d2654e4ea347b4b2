//! Follows a bucket: reads all of it, then each change; reads all of it again after the connection
//! was lost.

use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation, Store};
use futures_util::StreamExt;
use tokio::sync::watch;

use crate::error::BusError;
use crate::nats::connection::connect::Disturbances;
use crate::nats::connection::link::{Pauses, unavailable};

/// Time for which a removed setting stays visible to a watcher that was away.
pub(crate) const MARKER_AGE: Duration = Duration::from_secs(60);
/// Age after which the registry's bucket forgets a report: its instance counts as gone.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);

/// News of a bucket that is followed.
pub(crate) enum News {
    /// All entries of the bucket, at the start and again after each disturbance of the connection.
    All(Vec<Entry>),
    /// One entry that was put or removed.
    One(Entry),
}

/// Returns whether the entry has a value.
pub(crate) fn is_put(entry: &Entry) -> bool {
    entry.operation == Operation::Put
}

/// Follows until its task is aborted. The client's own watch continues after a reconnect, but a key
/// that expired in between would stay: so the bucket is read again.
pub(crate) async fn follow(
    store: Store,
    mut disturbances: watch::Receiver<Disturbances>,
    mut receive: impl FnMut(News),
) {
    let mut pauses = Pauses::new();
    loop {
        drop(disturbances.borrow_and_update());
        match follow_once(&store, &mut disturbances, &mut receive).await {
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
    receive: &mut impl FnMut(News),
) -> Result<(), BusError> {
    // `Store::status` would return the state at the time when the bucket was opened.
    let is_empty = store.stream.get_info().await.map_err(|e| unavailable(&e))?.state.messages == 0;
    let mut entries = store.watch_with_history(">").await.map_err(|e| unavailable(&e))?;
    let mut all = Vec::new();
    let mut complete = is_empty;
    if complete {
        receive(News::All(Vec::new()));
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
            receive(News::One(entry));
        } else {
            complete = entry.delta == 0;
            all.push(entry);
            if complete {
                receive(News::All(std::mem::take(&mut all)));
            }
        }
    }
}
