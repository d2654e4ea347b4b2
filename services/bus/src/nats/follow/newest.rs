//! Asks a stream's leader for the newest position of a topic.

use std::sync::Arc;

use barrage_protocol::Sequence;
use tokio::task::JoinHandle;

use super::source::Source;
use crate::log::Topic;
use crate::nats::connection::link::Pauses;

/// A request that is in flight; dropping it aborts it. It runs in a task of its own, so that it
/// continues, and returns its permit, while the topic's task waits for a read.
pub(crate) struct Newest(JoinHandle<Sequence>);

impl Newest {
    /// Asks in a task of its own, with pauses between attempts, until a leader answers.
    pub(crate) fn ask(source: Arc<Source>, topic: Topic) -> Self {
        Newest(tokio::spawn(async move {
            let mut pauses = Pauses::new();
            loop {
                let permit = source.reads.acquire().await;
                if let Ok(last) = source.while_connected(source.streams.last(&topic)).await {
                    return last;
                }
                drop(permit);
                pauses.pause().await;
            }
        }))
    }

    /// Waits for the answer; never resolves when there is no request. Cancel-safe.
    pub(crate) async fn answer(newest: &mut Option<Newest>) -> Sequence {
        match newest {
            // The task ends without an answer only when the process ends.
            Some(Newest(request)) => request.await.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Newest {
    fn drop(&mut self) {
        self.0.abort();
    }
}
