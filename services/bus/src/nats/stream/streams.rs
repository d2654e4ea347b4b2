//! The streams of messages, one for each partition.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::Context;
use barrage_protocol::Sequence;

use super::names::Names;
use super::partition::PARTITIONS_MAX;
use super::reader::Reader;
use crate::error::BusError;
use crate::log::Topic;
use crate::nats::connection::link::unavailable;
use crate::nats::stream::gate::{Gate, Verdict};
use crate::nats::stream::places::Places;

/// Readers of all streams, the names on the servers, and the partitions of the topics.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    pub(crate) names: Names,
    pub(crate) places: Places,
    /// One for each partition that may ever be: a reader of a stream that does not exist yet costs nothing.
    readers: Arc<[Reader]>,
}

impl Streams {
    pub(crate) async fn new(
        context: &Context,
        places: Places,
        timeout: Duration,
        channel: usize,
    ) -> Result<Self, BusError> {
        let names = places.names.clone();
        let mut readers = Vec::new();
        for partition in 0..PARTITIONS_MAX {
            readers.push(Reader::new(context, &names.stream(partition), timeout, channel).await?);
        }
        Ok(Streams { names, places, readers: readers.into() })
    }

    pub(crate) fn reader(&self, partition: u16) -> &Reader {
        &self.readers[usize::from(partition)]
    }

    /// Returns the number of partitions that may hold messages.
    pub(crate) fn partitions(&self) -> u16 {
        self.names.partitions().max(self.places.plan().made).min(PARTITIONS_MAX)
    }

    /// Reads the gate of a topic in a partition, from the leader; the default where there is none.
    pub(crate) async fn gate(&self, partition: u16, topic: &Topic) -> Result<Gate, BusError> {
        let Some((at, order)) = self.reader(partition).newest(&self.names.gate(partition, topic)).await?
        else {
            return Ok(Gate::default());
        };
        let order = serde_json::from_slice(&order).map_err(|error| unavailable(&error))?;
        Ok(Gate { at, order })
    }

    /// Makes sure that a topic is still where this process knows it, before an answer that depends on it.
    pub(crate) async fn confirm(&self, topic: &Topic, epoch: u64) -> Result<(), BusError> {
        if self.places.plan().is_set()
            && self.gate(self.places.current(topic).partition, topic).await?.verdict(epoch) == Verdict::Closed
        {
            return Err(BusError::Unavailable("the room moves to another partition; try again".into()));
        }
        Ok(())
    }

    /// Returns the position of the newest message of a topic, from the leader of its stream; zero before the
    /// first one. The leader answers after earlier subscriptions of this client have reached it.
    pub(crate) async fn last(&self, topic: &Topic) -> Result<Sequence, BusError> {
        let current = self.places.current(topic);
        let input = self.names.input(current.partition, topic);
        self.reader(current.partition).last(&input).await?.position(current.chain)
    }
}
