//! The loop from one partition of the bus to the stored events of one receiver.

use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_bus::{Bus, Stored, grown};
use barrage_protocol::{Message, Sequence};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::batch::{self, Room};
use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::surge::Surges;

/// Messages of one read.
const READ_MAX: usize = 500;
/// Maximum wait for the bus to reach the position of the receiver.
const TAIL_WAIT: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Where a receiver begins in a partition that it has no position of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// A new receiver gets what happens from now on.
    Newest,
    /// A receiver that read the other partitions misses nothing of one that the bus grew by.
    First,
}

/// Reads all partitions for one receiver, also those that the bus grows by.
pub(crate) async fn follow_all(bus: Arc<dyn Bus>, endpoint: Arc<Endpoint>) -> Result<(), WebhooksError> {
    // Partitions of the first start have always been read.
    let first = bus.spread().partitions_min;
    let deliveries = endpoint.store.deliveries();
    let is_known = endpoint.retried(|| deliveries.mark(endpoint.name(), 0)).await?.is_some();
    let (mut partitions, mut loops) = (0, FuturesUnordered::new());
    loop {
        let is_growth = partitions > 0;
        for partition in partitions..bus.partitions() {
            let misses = is_growth || (is_known && partition >= first);
            let begin = if misses { Begin::First } else { Begin::Newest };
            loops.push(Ingest::new(partition, begin, Arc::clone(&bus), Arc::clone(&endpoint)).follow());
        }
        partitions = bus.partitions().max(partitions);
        tokio::select! {
            biased;
            Some(ended) = loops.next() => return ended,
            () = grown(&*bus, partitions) => {}
        }
    }
}

/// Reads one partition for one receiver.
struct Ingest {
    partition: u16,
    begin: Begin,
    bus: Arc<dyn Bus>,
    endpoint: Arc<Endpoint>,
    surges: Surges,
}

impl Ingest {
    fn new(partition: u16, begin: Begin, bus: Arc<dyn Bus>, endpoint: Arc<Endpoint>) -> Self {
        let surges = Surges::new(endpoint.config.surge.clone());
        Ingest { partition, begin, bus, endpoint, surges }
    }

    /// Stores events until an error that only an operator can repair.
    async fn follow(mut self) -> Result<(), WebhooksError> {
        let mut mark = self.find_mark().await?;
        let mut tail = self.bus.tail(self.partition);
        let window = Duration::from_millis(self.endpoint.config.batch_window_ms);
        loop {
            // Marked as seen before the read: a message that arrives during the read wakes the wait below.
            drop(tail.borrow_and_update());
            if self.endpoint.is_disabled() || self.endpoint.fill() >= 2.0 {
                tokio::time::sleep(self.endpoint.poll_interval()).await;
                continue;
            }
            let stored = self.read(mark).await;
            let Some(last) = stored.last().map(|stored| stored.at) else {
                match tokio::time::timeout(self.endpoint.poll_interval(), tail.changed()).await {
                    // What comes within the window is one event for each room.
                    Ok(Ok(())) => tokio::time::sleep(window).await,
                    Ok(Err(_)) => return Err(WebhooksError::BusStopped),
                    Err(_) => {}
                }
                continue;
            };
            let messages: Vec<_> = stored.into_iter().map(|stored| stored.message).collect();
            self.store(&messages, last).await?;
            mark = last;
        }
    }

    /// Stores the events of messages, and the position behind them.
    async fn store(&mut self, messages: &[Arc<Message>], last: Sequence) -> Result<(), WebhooksError> {
        let endpoint = &*self.endpoint;
        let room = if endpoint.fill() >= 1.0 { Room::NoChat } else { Room::Free };
        let made = batch::events(messages, &endpoint.settings, &endpoint.config, &mut self.surges, room);
        let deliveries = endpoint.store.deliveries();
        let partition = self.partition;
        endpoint.retried(|| deliveries.enqueue(endpoint.name(), partition, last, &made.events)).await?;
        endpoint.metrics.dropped.inc_by(made.dropped);
        if made.unreadable > 0 {
            tracing::warn!(count = made.unreadable, "bodies of messages have no type; no webhook has them");
        }
        if !made.events.is_empty() {
            endpoint.add_pending(made.events.len());
        }
        Ok(())
    }

    /// Returns the position of the receiver. A new receiver begins at the newest message.
    async fn find_mark(&self) -> Result<Sequence, WebhooksError> {
        let endpoint = &*self.endpoint;
        let deliveries = endpoint.store.deliveries();
        let partition = self.partition;
        let known = endpoint.retried(|| deliveries.mark(endpoint.name(), partition)).await?;
        let mut tail = self.bus.tail(self.partition);
        let Some(mark) = known else {
            let newest = if self.begin == Begin::First { Sequence::ZERO } else { *tail.borrow() };
            endpoint.retried(|| deliveries.enqueue(endpoint.name(), partition, newest, &[])).await?;
            tracing::info!(endpoint = endpoint.name(), partition, %newest, "a new receiver gets events after this position");
            return Ok(newest);
        };
        // This process may see an older end of the bus than another process read.
        let reached = tokio::time::timeout(TAIL_WAIT, tail.wait_for(|tail| *tail >= mark)).await;
        let is_reached = matches!(reached, Ok(Ok(_)));
        drop(reached);
        if !is_reached {
            let tail = *tail.borrow();
            return Err(WebhooksError::BusBehind { partition, tail, mark });
        }
        Ok(mark)
    }

    /// Reads the next messages, and retries for as long as the bus fails.
    async fn read(&self, after: Sequence) -> Vec<Stored> {
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            match self.bus.read_all(self.partition, after, READ_MAX).await {
                Ok(messages) => return messages,
                Err(error) => {
                    self.endpoint.failed(&error);
                    tokio::time::sleep(backoff.next_ceiling()).await;
                }
            }
        }
    }
}
