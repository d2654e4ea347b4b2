//! The cluster engine: implements the log, the settings and the registry on NATS servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::context::{Context, ContextBuilder};
use async_trait::async_trait;
use barrage_protocol::{Message, RoomId, Sequence};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::config::NatsConfig;
use super::connection::check::{Finding, findings};
use super::connection::connect::{Connection, NatsError, connect, redacted};
use super::connection::gather::Gatherer;
use super::connection::link::Pauses;
use super::follow::follower::Follower;
use super::key_value::registry::{self, Instances};
use super::key_value::settings::SettingsKeeper;
use super::key_value::{bucket, liveness};
use super::moving::mover::Mover;
use super::publish::publisher::Publisher;
use super::setup;
use super::stream::names::Names;
use super::stream::partition::PARTITIONS_MAX;
use super::stream::places::Places;
use super::stream::streams::Streams;
use super::stream::tail;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::events::PulseDraft;
use crate::log::{Draft, Log, Range, RangeLimits, Receipt, Spread, Stored, Subscription, Topic};
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered, Registry};
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::settings::changed::Changed;
use crate::settings_store::SettingsStore;

/// Maximum number of pulses that wait for the connection; further ones are dropped.
const PULSES_MAX: usize = 1_024;

/// The cluster engine: messages, settings and registry on NATS servers.
pub struct NatsBus {
    streams: Streams,
    publisher: Publisher,
    follower: Follower,
    settings: Arc<SettingsKeeper>,
    mover: Arc<Mover>,
    context: Context,
    limits: BusConfig,
    instances: Instances,
    pulses: mpsc::Sender<(String, Vec<u8>)>,
    /// Newest position of each partition, read at start. After the first [`Log::tail`] of a partition a task
    /// keeps it current.
    tails: Vec<watch::Sender<Sequence>>,
    config: NatsConfig,
    client: Client,
    /// Background tasks, which are aborted when the engine is dropped.
    tasks: Mutex<Tasks>,
    _gatherer: Option<Gatherer>,
}

#[derive(Default)]
struct Tasks {
    running: JoinSet<()>,
    /// Partitions whose tail a task keeps up to date; others have no task.
    tails: BTreeSet<u16>,
}

impl NatsBus {
    /// Connects, declares the streams and buckets if configured, and returns when the settings are
    /// known. `dedup_per_room_max` of `limits` does not apply: the servers keep every id of the
    /// window.
    ///
    /// Waits for servers that are still starting, or have no leader yet, up to
    /// `start_deadline_ms`.
    pub async fn connect(
        config: NatsConfig,
        limits: BusConfig,
        metrics: BusMetrics,
    ) -> Result<Arc<Self>, NatsError> {
        let (started, mut pauses) = (barrage_clock::now(), Pauses::new());
        loop {
            match NatsBus::try_connect(config.clone(), limits.clone(), metrics.clone()).await {
                Err(error) if error.may_pass() && started.elapsed() < config.start_deadline() => {
                    tracing::warn!(%error, "NATS is not ready; trying again");
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
        let mut tasks = Tasks::default();
        let (settings, mut view) =
            SettingsKeeper::new(client.clone(), &stores.settings, config.clone(), limits.clone());
        let settings = Arc::new(settings);
        let (known, mut settings_known) = watch::channel(false);
        tasks.running.spawn(bucket::follow(stores.settings, disturbances.clone(), move |news| {
            view.receive(news);
            known.send_replace(true);
        }));
        let settings_read = settings_known.wait_for(|known| *known);
        if !matches!(tokio::time::timeout(config.publish_deadline(), settings_read).await, Ok(Ok(_))) {
            return Err(NatsError::Setup { what: names.settings_bucket(), reason: "no answer".into() });
        }
        let made = settings.settings().borrow().partitions.made.min(PARTITIONS_MAX);
        if config.declare {
            for partition in names.partitions()..made {
                setup::stream(&context, &names, partition, &config, &limits).await?;
            }
        }
        let places = Places::new(names, settings.settings(), limits.dedup_secs);
        let (streams, tails) = open_streams(&context, places, timeout, limits.subscriber_lag_max).await?;
        let instances = Instances::new(client.clone(), &stores.instances, timeout, config.admin_url.clone());
        let reports = instances.reports();
        tasks.running.spawn(liveness::watch(
            stores.instances.clone(),
            instances.reports(),
            redacted(&config)?,
        ));
        let connected = client.clone();
        tasks.running.spawn(bucket::follow(stores.instances, disturbances.clone(), move |news| {
            registry::receive(&reports, &connected, news);
        }));
        let (pulses, waiting) = mpsc::channel(PULSES_MAX);
        tasks.running.spawn(send_pulses(client.clone(), waiting));

        let follower = Follower::new(
            client.clone(),
            streams.clone(),
            &limits,
            config.scan_messages_max,
            metrics.clone(),
            disturbances,
            gatherer.as_ref().map_or_else(Handle::current, |gatherer| gatherer.runtime.clone()),
        );
        tasks.running.spawn(follower.audit());
        let mover = Arc::new(Mover::new(
            client.clone(),
            streams.clone(),
            Arc::clone(&settings),
            config.clone(),
            metrics.clone(),
        ));

        Ok(Arc::new(NatsBus {
            publisher: Publisher::new(
                client.clone(),
                streams.clone(),
                config.clone(),
                &limits,
                metrics,
                Arc::clone(&mover),
            ),
            mover,
            context,
            limits,
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
        }))
    }

    /// Checks the servers and their streams, for `barrage doctor`.
    pub async fn check(&self) -> Result<Vec<Finding>, BusError> {
        let mut streams = Vec::new();
        for partition in 0..self.streams.partitions() {
            streams.push(self.streams.reader(partition).info().await?);
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

/// Opens the streams and reads the newest position of each.
async fn open_streams(
    context: &Context,
    places: Places,
    timeout: Duration,
    channel: usize,
) -> Result<(Streams, Vec<watch::Sender<Sequence>>), NatsError> {
    let names = places.names.clone();
    let not_ready = |partition: u16, error: BusError| NatsError::Setup {
        what: names.stream(partition),
        reason: error.to_string(),
    };
    let streams = Streams::new(context, places, timeout, channel).await;
    let streams = streams.map_err(|error| not_ready(0, error))?;
    let mut tails = Vec::new();
    for partition in 0..PARTITIONS_MAX {
        let mut newest = Sequence::ZERO;
        if partition < streams.partitions() {
            let state = streams.reader(partition).state().await;
            newest = Sequence(state.map_err(|error| not_ready(partition, error))?.last_sequence);
        }
        tails.push(watch::Sender::new(newest));
    }
    Ok((streams, tails))
}

async fn send_pulses(client: Client, mut waiting: mpsc::Receiver<(String, Vec<u8>)>) {
    while let Some((subject, pulse)) = waiting.recv().await {
        if let Err(error) = client.publish(subject, pulse.into()).await {
            tracing::debug!(%error, "a pulse was dropped");
        }
    }
}

#[async_trait]
impl Log for NatsBus {
    async fn publish(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        self.publisher.publish(drafts).await
    }

    fn pulse(&self, room: &RoomId, pulse: PulseDraft) {
        let subject = self.streams.names.output(&Topic::Room(room.clone()));
        let pulse = serde_json::to_vec(&pulse).expect("a pulse is plain data");
        // A full queue drops the pulse.
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
        self.streams.last(topic).await
    }

    fn partitions(&self) -> u16 {
        self.streams.partitions()
    }

    fn spread(&self) -> Spread {
        self.mover.spread()
    }

    async fn set_partitions(&self, partitions: u16) -> Result<(), BusError> {
        let names = &self.streams.names;
        if self.config.declare {
            for partition in names.partitions()..partitions.min(PARTITIONS_MAX) {
                let declared = setup::stream(&self.context, names, partition, &self.config, &self.limits);
                declared.await.map_err(|error| BusError::Unavailable(error.to_string()))?;
            }
        }
        self.mover.set(partitions).await
    }

    async fn move_rooms(&self) {
        self.mover.run().await;
    }

    async fn read_all(&self, partition: u16, after: Sequence, limit: usize) -> Result<Vec<Stored>, BusError> {
        let rooms = self.streams.names.every_room_input_of(partition);
        let reader = self.streams.reader(partition);
        let (mut messages, mut reached, mut more) = (Vec::new(), after, true);
        while more && messages.len() < limit {
            let read = reader.read(&rooms, reached, limit - messages.len()).await?;
            (reached, more) = (read.reached, read.more);
            // The stream chains all rooms together; the previous message of the room is unknown.
            let unchained = |Stored { at, message }| {
                let message = Arc::unwrap_or_clone(message);
                Stored { at, message: Arc::new(Message { previous: Sequence::ZERO, ..message }) }
            };
            messages.extend(read.messages.into_iter().map(unchained));
        }
        Ok(messages)
    }

    fn tail(&self, partition: u16) -> watch::Receiver<Sequence> {
        let tail = &self.tails[usize::from(partition)];
        let mut tasks = self.tasks.lock();
        if tasks.tails.insert(partition) {
            tasks.running.spawn(tail::follow(self.streams.reader(partition).clone(), tail.clone()));
        }
        tail.subscribe()
    }
}

#[async_trait]
impl SettingsStore for NatsBus {
    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.settings()
    }

    async fn change(&self, change: Change) -> Result<Changed, BusError> {
        self.settings.change(change).await
    }

    async fn catch_up(&self, room: &RoomId) -> Result<(), BusError> {
        self.settings.catch_up(room).await
    }
}

#[async_trait]
impl Registry for NatsBus {
    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        self.instances.report(report).await
    }

    fn instances(&self) -> Vec<Registered> {
        self.instances.list()
    }

    fn servers_silent_for(&self) -> Option<Duration> {
        self.instances.servers_silent_for()
    }
}
