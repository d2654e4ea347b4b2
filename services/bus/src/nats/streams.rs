//! The streams of messages, and which of them a topic is in.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::Context;

use super::names::Names;
use super::reader::Reader;
use crate::bus::{BusError, Topic};

/// A stream for each partition.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    pub(crate) names: Names,
    readers: Arc<[Reader]>,
}

impl Streams {
    pub(crate) async fn new(
        context: &Context,
        names: Names,
        timeout: Duration,
        channel: usize,
    ) -> Result<Self, BusError> {
        let mut readers = Vec::new();
        for partition in 0..names.partitions() {
            readers.push(Reader::new(context, &names.stream(partition), timeout, channel).await?);
        }
        Ok(Streams { names, readers: readers.into() })
    }

    /// Reads the stream that a topic is in.
    pub(crate) fn of(&self, topic: &Topic) -> &Reader {
        self.reader(self.names.partition(topic))
    }

    pub(crate) fn reader(&self, partition: u16) -> &Reader {
        &self.readers[usize::from(partition)]
    }

    /// One for each partition, in their order.
    pub(crate) fn readers(&self) -> &[Reader] {
        &self.readers
    }
}
