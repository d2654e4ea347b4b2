//! The newest position of a lane: from the server's notices, and from its leader when one was lost.

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::header::NATS_SEQUENCE;
use barrage_protocol::Sequence;
use futures_util::StreamExt;
use tokio::sync::watch;

use super::record;
use crate::nats::stream::envelope::number;
use crate::nats::stream::reader::Reader;

/// Time between two requests to the leader: a lost notice delays letters as long.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Updates `tail` until its task is aborted.
pub(super) async fn follow(mut notices: Subscriber, reader: Reader, tail: watch::Sender<Sequence>) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            notice = notices.next() => match notice {
                Some(notice) => {
                    let newest = notice.headers.and_then(|headers| number(&headers, NATS_SEQUENCE));
                    advance(&tail, newest.unwrap_or(0));
                }
                // The client has stopped, and the process with it.
                None => return,
            },
            _ = ticks.tick() => match reader.state().await {
                Ok(state) => advance(&tail, state.last_sequence),
                Err(error) => tracing::debug!(%error, "the newest record of a lane could not be read"),
            },
        }
    }
}

/// Moves the tail to a record; it never moves back.
pub(super) fn advance(tail: &watch::Sender<Sequence>, record: u64) {
    if record > 0 {
        let newest = record::last_of(record);
        tail.send_if_modified(|known| newest > *known && std::mem::replace(known, newest) != newest);
    }
}
