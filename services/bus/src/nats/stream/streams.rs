//! The streams of messages, one for each partition.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::Context;

use super::names::Names;
use super::reader::Reader;
use crate::error::BusError;
use crate::log::Topic;

/// Readers of all streams, and the names on the servers.
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

    /// Returns the reader of the stream that holds a topic.
    pub(crate) fn of(&self, topic: &Topic) -> &Reader {
        self.reader(self.names.partition(topic))
    }

    pub(crate) fn reader(&self, partition: u16) -> &Reader {
        &self.readers[usize::from(partition)]
    }

    /// Returns the readers in the order of the partitions.
    pub(crate) fn readers(&self) -> &[Reader] {
        &self.readers
    }
}
