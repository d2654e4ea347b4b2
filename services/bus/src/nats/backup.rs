//! Backup and restore of the streams on NATS by JetStream's snapshots. Processes may run during a backup, and
//! must not during a restore.
//!
//! A restored stream ends at a position behind which others were given out after the backup. [`skip`] lets
//! it go on far beyond them.

use std::io::{Read, Write};
use std::time::Duration;

use async_nats::jetstream::{self, context::Context};
use async_nats::{Client, Message};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use prometheus::Registry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::NatsConfig;
use super::connection::connect::{NatsError, connect};
use super::stream::names::Names;
use crate::config::BusConfig;
use crate::metrics::BusMetrics;

/// Positions that a restored stream leaves out, as a restored log in files does: more than it gives between a
/// backup and its restore.
pub const SKIPPED: u64 = 1 << 32;
/// Bytes of one chunk in both directions; a server takes at most 1 MiB in a message.
const CHUNK_BYTES: usize = 128 * 1_024;
/// Longest silence of a server within a snapshot or a restore.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Status of a snapshot's last message.
const END: u16 = 204;

/// A stream as a backup has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedStream {
    /// Name of the stream on the servers.
    pub name: String,
    /// Position of its newest message.
    pub last_sequence: u64,
    /// Number of its messages.
    pub messages: u64,
    /// Its configuration, as the server described it.
    config: Value,
    /// Its state, as the server described it.
    state: Value,
}

/// A connection that saves and restores streams.
pub struct Snapshots {
    client: Client,
    context: Context,
    names: Names,
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshots").finish_non_exhaustive()
    }
}

impl Snapshots {
    /// Connects to the servers of a configuration. Declares nothing.
    ///
    /// # Errors
    /// When no server can be used, or the configuration is wrong.
    pub async fn connect(config: &NatsConfig, limits: &BusConfig) -> Result<Snapshots, NatsError> {
        let names = Names::new(&config.prefix, config.partitions)
            .ok_or(NatsError::Config("prefix has letters, digits, `_` and `-`, at most 64"))?;
        let metrics = BusMetrics::new(&Registry::new())
            .map_err(|error| NatsError::Setup { what: "metrics".into(), reason: error.to_string() })?;
        // A snapshot's chunks wait in the subscription while the disk is slow; each is acknowledged.
        let plain = NatsConfig { gather_us_max: Some(0), ..config.clone() };
        let client = connect(&plain, limits, &metrics).await?.client;
        Ok(Snapshots { context: jetstream::new(client.clone()), client, names })
    }

    /// Returns the name of the stream that holds a partition of the log.
    #[must_use]
    pub fn log_stream(&self, partition: u16) -> String {
        self.names.stream(partition)
    }

    /// Returns the names of the streams that a backup has: the partitions of the log, the lanes of letters, and
    /// last the settings. Reports of processes are not in it: they live for seconds.
    ///
    /// # Errors
    /// When the servers do not answer.
    pub async fn streams(&self) -> Result<Vec<String>, NatsError> {
        let found: Vec<String> =
            self.context.stream_names().try_collect().await.map_err(|error| failed("streams", &error))?;
        let mut kept: Vec<_> = found.into_iter().filter(|name| self.names.is_saved(name)).collect();
        let settings = self.names.settings_stream();
        kept.sort_by_key(|name| (*name == settings, name.clone()));
        Ok(kept)
    }

    /// Writes a snapshot of a stream to `to`, and calls `progress` with the bytes so far. Holds at most
    /// the server's window of 8 MiB in memory.
    ///
    /// # Errors
    /// When the server or the disk fails; the file is then a part.
    pub async fn save(
        &self,
        name: &str,
        to: &mut impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<SavedStream, NatsError> {
        let inbox = self.client.new_inbox();
        let mut chunks = self.client.subscribe(inbox.clone()).await.map_err(|error| failed(name, &error))?;
        let wish = json!({ "deliver_subject": inbox, "no_consumers": true, "chunk_size": CHUNK_BYTES });
        let answer = self.ask(&format!("$JS.API.STREAM.SNAPSHOT.{name}"), name, &wish).await?;
        let mut written = 0;
        loop {
            let chunk = tokio::time::timeout(SILENCE_MAX, chunks.next()).await;
            let chunk =
                chunk.ok().flatten().ok_or_else(|| refused(name, "the snapshot stopped in the middle"))?;
            if chunk.payload.is_empty() {
                ended(name, &chunk)?;
                break;
            }
            to.write_all(&chunk.payload).map_err(|error| failed(name, &error))?;
            written += chunk.payload.len() as u64;
            progress(written);
            if let Some(reply) = chunk.reply {
                self.client.publish(reply, Bytes::new()).await.map_err(|error| failed(name, &error))?;
            }
        }
        let count = |field: &str| answer["state"][field].as_u64().unwrap_or_default();
        Ok(SavedStream {
            name: name.to_owned(),
            last_sequence: count("last_seq"),
            messages: count("messages"),
            config: answer["config"].clone(),
            state: answer["state"].clone(),
        })
    }

    /// Restores a stream from its snapshot, and calls `progress` with the bytes so far. A stream of this
    /// name must not exist: nothing is replaced.
    ///
    /// # Errors
    /// When the server or the file fails. The server then has no such stream.
    pub async fn load(
        &self,
        saved: &SavedStream,
        from: &mut impl Read,
        mut progress: impl FnMut(u64),
    ) -> Result<(), NatsError> {
        let name = &saved.name;
        let wish = json!({ "config": saved.config, "state": saved.state });
        let answer = self.ask(&format!("$JS.API.STREAM.RESTORE.{name}"), name, &wish).await?;
        let subject = answer["deliver_subject"].as_str().unwrap_or_default().to_owned();
        let (mut sent, mut chunk) = (0, vec![0; CHUNK_BYTES]);
        loop {
            let read = from.read(&mut chunk).map_err(|error| failed(name, &error))?;
            let body = Bytes::copy_from_slice(&chunk[..read]);
            let request = async_nats::Request::new().payload(body).timeout(Some(SILENCE_MAX));
            let answer = self.client.send_request(subject.clone(), request).await;
            let answer = answer.map_err(|error| failed(name, &error))?;
            let text = String::from_utf8_lossy(&answer.payload);
            if read == 0 {
                return checked(name, &answer.payload).map(drop);
            }
            if text.starts_with("-ERR") {
                return Err(refused(name, &text));
            }
            sent += read as u64;
            progress(sent);
        }
    }

    /// Lets a partition of the log go on at `first`: it loses its messages, which the archive must have.
    ///
    /// # Errors
    /// When the servers do not answer.
    pub async fn skip(&self, name: &str, first: u64) -> Result<(), NatsError> {
        let stream = self.context.get_stream(name).await.map_err(|error| failed(name, &error))?;
        stream.purge().sequence(first).await.map(drop).map_err(|error| failed(name, &error))
    }

    async fn ask(&self, subject: &str, name: &str, wish: &Value) -> Result<Value, NatsError> {
        let body = Bytes::from(wish.to_string());
        let request = async_nats::Request::new().payload(body).timeout(Some(SILENCE_MAX));
        let answer = self.client.send_request(subject.to_owned(), request).await;
        checked(name, &answer.map_err(|error| failed(name, &error))?.payload)
    }
}

/// Reads an answer of the JetStream API; an error in it is one of the server.
fn checked(name: &str, payload: &[u8]) -> Result<Value, NatsError> {
    let answer: Value = serde_json::from_slice(payload).map_err(|error| failed(name, &error))?;
    match answer["error"]["description"].as_str() {
        Some(description) => Err(refused(name, description)),
        None => Ok(answer),
    }
}

/// Checks the last message of a snapshot: servers end a failed one with another status.
fn ended(name: &str, message: &Message) -> Result<(), NatsError> {
    match message.status.filter(|status| status.as_u16() != END) {
        None => Ok(()),
        Some(status) => Err(refused(name, message.description.as_deref().unwrap_or(&status.to_string()))),
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> NatsError {
    refused(what, &error.to_string())
}

fn refused(what: &str, reason: &str) -> NatsError {
    NatsError::Setup { what: what.to_owned(), reason: reason.to_owned() }
}
