//! Mail between processes: core NATS subjects, on a connection of their own. Nothing is stored.

use std::fmt;
use std::sync::Arc;

use async_nats::Client;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::config::NatsConfig;
use super::connection::connect::{Connection, NatsError, connect};
use super::connection::gather::Gatherer;
use super::connection::link::{Pauses, unavailable};
use super::stream::names::escape;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::mail::{
    Attachments, Mail, MailEnvelope, MailNews, MailReceiver, read_attachments, read_envelope,
    write_attachments, write_envelope,
};
use crate::metrics::BusMetrics;

/// Messages that wait for the connection; further ones are dropped.
const QUEUE_MAX: usize = 1_024;

/// The way of mail between the processes of a cluster.
pub struct NatsMail {
    client: Client,
    prefix: String,
    queue: mpsc::Sender<(String, Bytes)>,
    _sending: JoinSet<()>,
    _gatherer: Option<Gatherer>,
}

impl NatsMail {
    /// Connects; waits for servers that are still starting, up to `start_deadline_ms`.
    pub async fn connect(
        config: &NatsConfig,
        limits: &BusConfig,
        metrics: &BusMetrics,
    ) -> Result<Arc<Self>, NatsError> {
        let (started, mut pauses) = (barrage_clock::now(), Pauses::new());
        let connection = loop {
            match connect(config, limits, metrics).await {
                Err(error) if error.may_pass() && started.elapsed() < config.start_deadline() => {
                    tracing::warn!(%error, "NATS is not ready; trying again");
                    pauses.pause().await;
                }
                result => break result?,
            }
        };
        let Connection { client, disturbances: _, gatherer } = connection;
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let mut sending = JoinSet::new();
        sending.spawn(send_all(client.clone(), waiting));
        let prefix = config.prefix.clone();
        Ok(Arc::new(NatsMail { client, prefix, queue, _sending: sending, _gatherer: gatherer }))
    }

    /// Subject of the envelopes of a lane to a gateway; with `*` as the lane, of all lanes.
    fn to_gateway(&self, gateway: &str, lane: &str) -> String {
        format!("{}.mail.{}.{lane}", self.prefix, escape(gateway))
    }

    fn roll_call(&self) -> String {
        format!("{}.mail-roll", self.prefix)
    }

    fn attached(&self) -> String {
        format!("{}.mail-attached", self.prefix)
    }

    /// Queues a message, or drops it: what it tells of is noticed by its number or the next snapshot.
    fn queue(&self, subject: String, message: Option<Bytes>) {
        let Some(message) = message else {
            tracing::error!(subject, "mail above its bound is dropped");
            return;
        };
        drop(self.queue.try_send((subject, message)));
    }

    async fn subscribe(&self, subject: String) -> Result<async_nats::Subscriber, BusError> {
        self.client.subscribe(subject).await.map_err(|error| unavailable(&error))
    }
}

async fn send_all(client: Client, mut waiting: mpsc::Receiver<(String, Bytes)>) {
    while let Some((subject, message)) = waiting.recv().await {
        if let Err(error) = client.publish(subject, message).await {
            tracing::debug!(%error, "mail was dropped");
        }
    }
}

#[async_trait]
impl Mail for NatsMail {
    fn send(&self, gateway: &str, envelope: MailEnvelope) {
        let subject = self.to_gateway(gateway, &envelope.lane.to_string());
        self.queue(subject, write_envelope(&envelope));
    }

    fn call_roll(&self) {
        self.queue(self.roll_call(), Some(Bytes::new()));
    }

    fn announce(&self, attachments: Attachments) {
        self.queue(self.attached(), write_attachments(&attachments));
    }

    async fn news(&self, gateway: &str) -> Result<MailReceiver<MailNews>, BusError> {
        let envelopes = self.subscribe(self.to_gateway(gateway, "*")).await?;
        let roll_calls = self.subscribe(self.roll_call()).await?;
        // The servers know the subscriptions before the first announcement, on the same connection.
        let envelopes = envelopes.map(|message| read_envelope(message.payload).map(MailNews::Envelope));
        let roll_calls = roll_calls.map(|_| Some(MailNews::RollCall));
        Ok(MailReceiver::remote(stream::select(envelopes, roll_calls)))
    }

    async fn attachments(&self) -> Result<MailReceiver<Attachments>, BusError> {
        let announced = self.subscribe(self.attached()).await?;
        Ok(MailReceiver::remote(announced.map(|message| read_attachments(message.payload))))
    }
}

impl fmt::Debug for NatsMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsMail({})", self.prefix)
    }
}
