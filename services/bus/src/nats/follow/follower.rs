//! Follows topics, each once for all subscribers of this process.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use barrage_protocol::Sequence;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::audit;
use super::followed::Followed;
use super::following::{Following, Start};
use super::ranges::Ranges;
use super::source::Source;
use super::topics::FollowedTopics;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::log::{Range, RangeLimits, Subscription, Topic};
use crate::metrics::BusMetrics;
use crate::nats::connection::connect::Disturbances;
use crate::nats::connection::link::unavailable;
use crate::nats::stream::streams::Streams;

/// Longest wait of a subscription for a stream's leader.
const LEADER_WAIT_MAX: Duration = Duration::from_millis(700);

/// Follows topics and answers ranges of them.
pub(crate) struct Follower {
    client: Client,
    source: Arc<Source>,
    topics: Arc<FollowedTopics>,
    ranges: Arc<Ranges>,
    /// Runtime of the topics' tasks: the one that reads the connection.
    runtime: Handle,
}

impl Follower {
    pub(crate) fn new(
        client: Client,
        streams: Streams,
        limits: &BusConfig,
        scan_messages_max: usize,
        metrics: BusMetrics,
        disturbances: watch::Receiver<Disturbances>,
        runtime: Handle,
    ) -> Self {
        let source = Arc::new(Source::new(streams, limits, metrics, disturbances));
        let topics = Arc::<FollowedTopics>::default();
        let ranges = Ranges::new(Arc::clone(&source), Arc::clone(&topics), scan_messages_max);
        Follower { client, source, topics, ranges: Arc::new(ranges), runtime }
    }

    /// Returns the task that finds messages which were lost unnoticed.
    pub(crate) fn audit(&self) -> impl Future<Output = ()> + Send + 'static {
        audit::run(Arc::clone(&self.source), Arc::clone(&self.topics))
    }

    pub(crate) async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        if let Some(subscription) = self.topics.join(topic) {
            return Ok(subscription);
        }
        // Before the position is asked for: a later disturbance must be seen.
        let disturbances = self.source.disturbances();
        let output = self.source.streams.names.output(topic);
        let arrivals = self.client.subscribe(output).await.map_err(|e| unavailable(&e))?;
        let (position, start) = self.start(topic).await?;
        let followed = Arc::new(Followed::new(position, self.source.limits.subscriber_lag_max));
        let subscription = followed.subscribe();
        if let Some(earlier) = self.topics.insert(topic, &followed) {
            return Ok(earlier);
        }
        let (source, topics, topic) = (Arc::clone(&self.source), Arc::clone(&self.topics), topic.clone());
        let task = Following { source, topics, topic, followed, arrivals, epoch: 0 };
        self.runtime.spawn(task.run(disturbances, start));
        Ok(subscription)
    }

    /// Returns the position to begin after. The leader answers after it has the subscription, so
    /// that no message falls in between. Without a leader any replica's position is used.
    async fn start(&self, topic: &Topic) -> Result<(Sequence, Start), BusError> {
        let streams = &self.source.streams;
        if let Ok(Ok(last)) = tokio::time::timeout(LEADER_WAIT_MAX, streams.last(topic)).await {
            return Ok((last, Start::Exact));
        }
        let current = streams.places.current(topic);
        let input = streams.names.input(current.partition, topic);
        let last = streams.reader(current.partition).lasts(&[&input]).await?.get(&input).copied();
        Ok((last.unwrap_or_default().position(current.chain)?, Start::Approximate))
    }

    pub(crate) async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        self.ranges.range(topic, after, before, limits).await
    }
}
