//! The engine's face.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::context::{Context, ContextBuilder};
use async_trait::async_trait;
use barrage_protocol::{Message, RoomId, Sequence};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::check::{Finding, findings};
use super::config::NatsConfig;
use super::connect::{Connection, NatsError, connect, redacted};
use super::follower::Follower;
use super::gather::Gatherer;
use super::link::Pauses;
use super::names::Names;
use super::partition::PARTITIONS_MAX;
use super::publisher::Publisher;
use super::registry::{self, Instances};
use super::settings::SettingsKeeper;
use super::streams::Streams;
use super::{audit, bucket, hearing, setup, tail};
use crate::bus::{Bus, BusError, Draft, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic};
use crate::change::{Change, Changed};
use crate::config::BusConfig;
use crate::embedded::lock;
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered};
use crate::settings::Settings;

/// Pulses waiting for the connection; beyond, they are left out.
const PULSES_MAX: usize = 1_024;

/// The cluster engine.
pub struct NatsBus {
    streams: Streams,
    publisher: Publisher,
    follower: Arc<Follower>,
    settings: SettingsKeeper,
    instances: Instances,
    pulses: mpsc::Sender<(String, Vec<u8>)>,
    /// One for each partition.
    tails: Vec<watch::Sender<Sequence>>,
    config: NatsConfig,
    client: Client,
    /// Ended with this value.
    tasks: Mutex<Tasks>,
    _gatherer: Option<Gatherer>,
}

#[derive(Default)]
struct Tasks {
    running: JoinSet<()>,
    /// Partitions whose tail is followed.
    tails: BTreeSet<u16>,
}

impl NatsBus {
    /// Connects, declares the streams and the buckets if so configured, and returns
    /// when the settings are known. Of `limits`, `dedup_per_room_max` does not apply:
    /// the servers keep every id of the window.
    ///
    /// Servers that are starting themselves, or have no leader yet, are waited for.
    pub async fn connect(
        config: NatsConfig,
        limits: BusConfig,
        metrics: BusMetrics,
    ) -> Result<Arc<Self>, NatsError> {
        let (started, mut pauses) = (Instant::now(), Pauses::new());
        loop {
            match NatsBus::try_connect(config.clone(), limits.clone(), metrics.clone()).await {
                Err(error) if error.may_pass() && started.elapsed() < config.start_deadline() => {
                    tracing::warn!(%error, "NATS is not ready; it is tried again");
                    pauses.pause().await;
                }
                result => return result,
            }
        }
    }

    async fn try_connect(
        config: NatsConfig,
        limits: BusConfig,
        metrics: BusMetrics,
    ) -> Result<Arc<Self>, NatsError> {
        let names = names(&config)?;
        let Connection { client, disturbances, gatherer } = connect(&config, &limits, &metrics).await?;
        let context = ContextBuilder::new().timeout(config.request_timeout()).build(client.clone());
        let stores = setup::stores(&context, &names, &config, &limits).await?;
        let timeout = config.request_timeout();
        let (streams, tails) = open_streams(&context, &names, timeout, limits.subscriber_lag_max).await?;

        let mut tasks = Tasks::default();
        let (settings, mut view) =
            SettingsKeeper::new(client.clone(), &stores.settings, config.clone(), limits.clone());
        let (known, mut settings_known) = watch::channel(false);
        tasks.running.spawn(bucket::follow(stores.settings, disturbances.clone(), move |news| {
            view.tell(news);
            known.send_replace(true);
        }));
        let instances = Instances::new(client.clone(), &stores.instances, timeout, config.admin_url.clone());
        let reports = instances.reports();
        tasks.running.spawn(hearing::run(stores.instances.clone(), instances.reports(), redacted(&config)?));
        let listening = client.clone();
        tasks.running.spawn(bucket::follow(stores.instances, disturbances.clone(), move |news| {
            registry::tell(&reports, &listening, news);
        }));
        let (pulses, waiting) = mpsc::channel(PULSES_MAX);
        tasks.running.spawn(send_pulses(client.clone(), waiting));

        let follower = Arc::new(Follower::new(
            client.clone(),
            streams.clone(),
            &limits,
            config.scan_messages_max,
            metrics.clone(),
            disturbances,
            gatherer.as_ref().map_or_else(Handle::current, |gatherer| gatherer.runtime.clone()),
        ));
        tasks.running.spawn(audit::run(Arc::clone(&follower)));

        let bus = NatsBus {
            publisher: Publisher::new(
                client.clone(),
                streams.clone(),
                config.clone(),
                limits.queue_max,
                metrics,
            ),
            follower,
            streams,
            settings,
            instances,
            pulses,
            tails,
            client,
            tasks: Mutex::new(tasks),
            _gatherer: gatherer,
            config,
        };
        let known = settings_known.wait_for(|known| *known);
        match tokio::time::timeout(bus.config.publish_deadline(), known).await {
            Ok(Ok(_)) => Ok(Arc::new(bus)),
            _ => Err(NatsError::Setup { what: names.settings_bucket(), reason: "no answer".into() }),
        }
    }

    /// Looks at the servers for an operator.
    pub async fn check(&self) -> Result<Vec<Finding>, BusError> {
        let mut streams = Vec::new();
        for reader in self.streams.readers() {
            streams.push(reader.info().await?);
        }
        Ok(findings(&self.client.server_info().version, &streams, &self.config))
    }
}

fn names(config: &NatsConfig) -> Result<Names, NatsError> {
    if !(1..=PARTITIONS_MAX).contains(&config.partitions) {
        return Err(NatsError::Config("partitions is 1 to 64"));
    }
    Names::new(&config.prefix, config.partitions)
        .ok_or(NatsError::Config("prefix is letters, digits, `_` and `-`"))
}

/// The streams, and the newest position of each.
async fn open_streams(
    context: &Context,
    names: &Names,
    timeout: Duration,
    channel: usize,
) -> Result<(Streams, Vec<watch::Sender<Sequence>>), NatsError> {
    let not_ready = |partition: u16, error: BusError| NatsError::Setup {
        what: names.stream(partition),
        reason: error.to_string(),
    };
    let streams = Streams::new(context, names.clone(), timeout, channel).await;
    let streams = streams.map_err(|error| not_ready(0, error))?;
    let mut tails = Vec::new();
    for (partition, reader) in (0..).zip(streams.readers()) {
        let state = reader.state().await.map_err(|error| not_ready(partition, error))?;
        tails.push(watch::Sender::new(Sequence(state.last_sequence)));
    }
    Ok((streams, tails))
}

async fn send_pulses(client: Client, mut waiting: mpsc::Receiver<(String, Vec<u8>)>) {
    while let Some((subject, pulse)) = waiting.recv().await {
        if let Err(error) = client.publish(subject, pulse.into()).await {
            tracing::debug!(%error, "a pulse was left out");
        }
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        self.publisher.publish(drafts).await
    }

    fn pulse(&self, room: &RoomId, pulse: PulseDraft) {
        let subject = self.streams.names.output(&Topic::Room(room.clone()));
        let pulse = serde_json::to_vec(&pulse).expect("a pulse is plain data");
        // No room: a pulse may always be left out.
        drop(self.pulses.try_send((subject, pulse)));
    }

    async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        self.follower.subscribe(topic).await
    }

    async fn range(
        &self,
        topic: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        limits: RangeLimits,
    ) -> Result<Range, BusError> {
        self.follower.range(topic, after, before, limits).await
    }

    async fn last(&self, topic: &Topic) -> Result<Sequence, BusError> {
        self.streams.of(topic).last(&self.streams.names.input(topic)).await
    }

    fn partitions(&self) -> u16 {
        self.streams.names.partitions()
    }

    async fn read_all(
        &self,
        partition: u16,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        let rooms = self.streams.names.every_room_input_of(partition);
        let reader = self.streams.reader(partition);
        let (mut messages, mut reached, mut more) = (Vec::new(), after, true);
        while more && messages.len() < limit {
            let page = reader.page(&rooms, reached, limit - messages.len()).await?;
            (reached, more) = (page.reached, page.more);
            // The page chains all rooms together; the one before in a room is not known.
            let unchained = |message| Arc::new(Message { previous: Sequence::ZERO, ..message });
            messages.extend(page.messages.into_iter().map(unchained));
        }
        Ok(messages)
    }

    fn tail(&self, partition: u16) -> watch::Receiver<Sequence> {
        let tail = &self.tails[usize::from(partition)];
        let mut tasks = lock(&self.tasks);
        if tasks.tails.insert(partition) {
            tasks.running.spawn(tail::follow(self.streams.reader(partition).clone(), tail.clone()));
        }
        tail.subscribe()
    }

    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.settings()
    }

    async fn change(&self, change: Change) -> Result<Changed, BusError> {
        self.settings.change(change).await
    }

    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        self.instances.report(report).await
    }

    fn instances(&self) -> Vec<Registered> {
        self.instances.list()
    }

    fn unheard_for(&self) -> Option<Duration> {
        self.instances.unheard_for()
    }
}
