//! Which partition each topic is in, as the settings of this process have it.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Sequence;
use tokio::sync::watch;

use crate::log::Topic;
use crate::nats::stream::names::Names;
use crate::settings::Settings;
use crate::settings::partition_plan::PartitionPlan;
use crate::settings::room_place::{RoomPlace, Segment};

/// Maximum difference of two processes' clocks, by which ids are asked for longer than servers know them.
const CLOCKS_DIFFER_MS_MAX: u64 = 60_000;

/// The partitions of topics, and the wanted number of partitions.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) names: Names,
    settings: watch::Receiver<Arc<Settings>>,
    /// Time for which a partition that a room has left is asked for ids, in milliseconds.
    pub(crate) window_ms: u64,
}

impl Places {
    pub(crate) fn new(names: Names, settings: watch::Receiver<Arc<Settings>>, dedup_secs: u64) -> Self {
        let window_ms = dedup_secs.saturating_mul(1_000).saturating_add(CLOCKS_DIFFER_MS_MAX);
        Places { names, settings, window_ms }
    }

    /// Returns the wanted number of partitions.
    pub(crate) fn plan(&self) -> PartitionPlan {
        self.settings.borrow().partitions
    }

    /// Returns the settings that this process has now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Returns the stay of a topic that lasts.
    pub(crate) fn current(&self, topic: &Topic) -> Segment {
        if let Topic::Room(room) = topic
            && let Some(place) = self.settings.borrow().places.get(room)
        {
            return place.current();
        }
        Segment::first(self.names.first(topic))
    }

    /// Returns all stays of a topic that are remembered.
    pub(crate) fn place(&self, topic: &Topic) -> RoomPlace {
        if let Topic::Room(room) = topic
            && let Some(place) = self.settings.borrow().places.get(room)
        {
            return place.clone();
        }
        RoomPlace::first(self.names.first(topic))
    }

    /// Returns whether a message is behind the gate that ended its stay.
    pub(crate) fn is_stray(&self, topic: &Topic, epoch: u64, position: Sequence) -> bool {
        let Topic::Room(room) = topic else { return false };
        self.settings.borrow().places.get(room).is_some_and(|place| place.is_stray(epoch, position))
    }

    /// Waits until this process knows that a topic has moved so many times; returns whether it does.
    pub(crate) async fn know(&self, topic: &Topic, epoch: u64, time: Duration) -> bool {
        if epoch == 0 || self.current(topic).chain.epoch >= epoch {
            return true;
        }
        let Topic::Room(room) = topic else { return false };
        let mut settings = self.settings.clone();
        let is_known =
            |settings: &Arc<Settings>| settings.places.get(room).is_some_and(|place| place.epoch() >= epoch);
        matches!(tokio::time::timeout(time, settings.wait_for(is_known)).await, Ok(Ok(_)))
    }

    /// Waits until the settings change; never resolves after the bus has stopped.
    pub(crate) async fn changed(&mut self) {
        if self.settings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
