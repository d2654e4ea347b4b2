//! The engine's face.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_nats::Client;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_trait::async_trait;
use barrage_protocol::{Message, RoomId, Sequence};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::check::{Finding, findings};
use super::config::NatsConfig;
use super::connect::{NatsError, connect};
use super::follower::Follower;
use super::link::Pauses;
use super::names::Names;
use super::publisher::Publisher;
use super::reader::Reader;
use super::registry::{self, Instances};
use super::settings::SettingsKeeper;
use super::{audit, bucket, setup, tail};
use crate::bus::{Bus, BusError, Draft, PulseDraft, Range, RangeLimits, Receipt, Subscription, Topic};
use crate::config::BusConfig;
use crate::embedded::lock;
use crate::metrics::BusMetrics;
use crate::registry::{InstanceReport, Registered};
use crate::settings::{Change, Settings};

/// Pulses waiting for the connection; beyond, they are left out.
const PULSES_MAX: usize = 1_024;

/// The cluster engine.
pub struct NatsBus {
    reader: Reader,
    publisher: Publisher,
    follower: Arc<Follower>,
    settings: SettingsKeeper,
    instances: Instances,
    pulses: mpsc::Sender<(String, Vec<u8>)>,
    tail: watch::Sender<Sequence>,
    config: NatsConfig,
    client: Client,
    context: jetstream::Context,
    /// Ended with this value.
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    running: JoinSet<()>,
    follows_tail: bool,
}

impl NatsBus {
    /// Connects, declares the stream and the buckets if so configured, and returns
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
        let names =
            Names::new(&config.prefix).ok_or(NatsError::Config("prefix is letters, digits, `_` and `-`"))?;
        let (client, disturbances) = connect(&config, &limits, &metrics).await?;
        let context = ContextBuilder::new().timeout(config.request_timeout()).build(client.clone());
        let stores = setup::stores(&context, &names, &config, &limits).await?;
        let not_ready =
            |error: BusError| NatsError::Setup { what: names.stream(), reason: error.to_string() };
        let (stream, timeout) = (names.stream(), config.request_timeout());
        let reader = Reader::new(&context, &stream, timeout, limits.subscriber_lag_max);
        let reader = reader.await.map_err(not_ready)?;
        let newest = Sequence(reader.state().await.map_err(not_ready)?.last_sequence);

        let mut tasks = Tasks::default();
        let (settings, mut view) =
            SettingsKeeper::new(client.clone(), &stores.settings, config.clone(), limits.clone());
        let (known, mut settings_known) = watch::channel(false);
        tasks.running.spawn(bucket::follow(stores.settings, disturbances.clone(), move |news| {
            view.tell(news);
            known.send_replace(true);
        }));
        let instances = Instances::new(client.clone(), &stores.instances, timeout);
        let reports = instances.reports();
        let listening = client.clone();
        tasks.running.spawn(bucket::follow(stores.instances, disturbances.clone(), move |news| {
            registry::tell(&reports, &listening, news);
        }));
        let (pulses, waiting) = mpsc::channel(PULSES_MAX);
        tasks.running.spawn(send_pulses(client.clone(), waiting));

        let follower = Arc::new(Follower::new(
            client.clone(),
            reader.clone(),
            names.clone(),
            &limits,
            config.scan_messages_max,
            metrics.clone(),
            disturbances,
        ));
        tasks.running.spawn(audit::run(Arc::clone(&follower)));

        let bus = NatsBus {
            publisher: Publisher::new(
                client.clone(),
                reader.clone(),
                names.clone(),
                config.clone(),
                limits.queue_max,
                metrics,
            ),
            follower,
            reader,
            settings,
            instances,
            pulses,
            tail: watch::Sender::new(newest),
            client,
            context,
            tasks: Mutex::new(tasks),
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
        let name = self.stream_name();
        let stream = self.context.get_stream(&name).await;
        let stream = stream.map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(findings(&self.client.server_info().version, stream.cached_info(), &self.config))
    }

    fn stream_name(&self) -> String {
        self.follower.names.stream()
    }
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
        let subject = self.follower.names.output(&Topic::Room(room.clone()));
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
        self.reader.last(&self.follower.names.input(topic)).await
    }

    async fn read_all(&self, after: Sequence, limit: usize) -> Result<Vec<Arc<Message>>, BusError> {
        let rooms = self.follower.names.every_room_input();
        let (mut messages, mut reached, mut more) = (Vec::new(), after, true);
        while more && messages.len() < limit {
            let page = self.reader.page(&rooms, reached, limit - messages.len()).await?;
            (reached, more) = (page.reached, page.more);
            // The page chains all rooms together; the one before in a room is not known.
            let unchained = |message| Arc::new(Message { previous: Sequence::ZERO, ..message });
            messages.extend(page.messages.into_iter().map(unchained));
        }
        Ok(messages)
    }

    fn tail(&self) -> watch::Receiver<Sequence> {
        let mut tasks = lock(&self.tasks);
        if !tasks.follows_tail {
            tasks.follows_tail = true;
            tasks.running.spawn(tail::follow(self.reader.clone(), self.tail.clone()));
        }
        self.tail.subscribe()
    }

    fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.settings()
    }

    async fn change(&self, change: Change) -> Result<(), BusError> {
        self.settings.change(change).await
    }

    async fn report(&self, report: InstanceReport) -> Result<(), BusError> {
        self.instances.report(report).await
    }

    fn instances(&self) -> Vec<Registered> {
        self.instances.list()
    }
}
