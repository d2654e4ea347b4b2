//! The settings in a bucket, one key each; they are in force in every process that follows it.

use std::sync::Arc;

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::kv::{Entry, Store};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::{Client, HeaderMap};
use barrage_clock::unix_ms;
use barrage_protocol::RoomId;
use tokio::sync::watch;

use super::bucket::{MARKER_AGE, News, is_put};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::nats::config::NatsConfig;
use crate::nats::connection::link::{Nack, Pauses, acked};
use crate::settings::Settings;
use crate::settings::change::{Change, SettingKey};
use crate::settings::changed::Changed;
use crate::settings::setting::Setting;

/// Maximum number of attempts of a change whose value others change at the same time. Each attempt
/// waits longer than the one before, and of concurrent attempts one always succeeds.
const ATTEMPTS_MAX: usize = 64;
/// Error code: the revision is not the expected one.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// Error code: the same, while another change of the key is in flight in the cluster.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10_164;

/// Reads and changes the settings in the bucket for callers of this process.
pub(crate) struct SettingsKeeper {
    client: Client,
    store: Store,
    config: NatsConfig,
    limits: BusConfig,
    settings: watch::Receiver<Arc<Settings>>,
    applied: watch::Receiver<u64>,
}

/// Applies the entries of the bucket, as its follower reads them, to the settings of this process.
pub(crate) struct SettingsView {
    settings: watch::Sender<Arc<Settings>>,
    /// Revision of the newest change that is in force in this process.
    applied: watch::Sender<u64>,
}

impl SettingsKeeper {
    pub(crate) fn new(
        client: Client,
        store: &Store,
        config: NatsConfig,
        limits: BusConfig,
    ) -> (Self, SettingsView) {
        let view = SettingsView { settings: watch::Sender::default(), applied: watch::Sender::new(0) };
        let (settings, applied) = (view.settings.subscribe(), view.applied.subscribe());
        let store = store.clone();
        (SettingsKeeper { client, store, config, limits, settings, applied }, view)
    }

    pub(crate) fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.clone()
    }

    /// Applies the change to the value that the servers hold, stores the result unless another
    /// change came in between, and waits until it is in force in this process.
    pub(crate) async fn change(&self, change: Change) -> Result<Changed, BusError> {
        // Processes decide independently: the limit can be exceeded by one for each of them.
        self.settings.borrow().admit(&change, &self.limits, unix_ms())?;
        let key = change.key();
        let mut pauses = Pauses::new();
        let stored = async {
            for _ in 0..ATTEMPTS_MAX {
                match self.attempt(&change, &key).await? {
                    Some((changed, revision)) => return self.in_force(revision).await.map(|()| changed),
                    None => pauses.pause().await,
                }
            }
            Err(BusError::Unavailable("others change the same setting at the same time; try again".into()))
        };
        let timed = tokio::time::timeout(self.config.publish_deadline(), stored).await;
        timed.unwrap_or_else(|_| Err(BusError::Unavailable("the setting was not confirmed in time".into())))
    }

    /// Reads the value, applies the change, and stores the result under the condition that the
    /// revision is still the one that was read. `None`: another change came in between, or the
    /// servers did not answer. The result may be stored then; applying a change twice gives the
    /// same value.
    async fn attempt(&self, change: &Change, key: &SettingKey) -> Result<Option<(Changed, u64)>, BusError> {
        let subject = format!("{}{}", self.store.prefix, key.text());
        let Some((before, revision)) = self.read(key, &subject).await? else { return Ok(None) };
        let now_ms = unix_ms();
        let after = change.apply(before.as_ref(), now_ms).map_err(BusError::Refused)?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, revision.to_string());
        match &after {
            None => {
                headers.insert("KV-Operation", "DEL");
                headers.insert("Nats-TTL", format!("{}s", MARKER_AGE.as_secs()));
            }
            // The servers remove a restriction when it ends.
            Some(Setting::Restrictions(restrictions)) => {
                let left_ms = restrictions.ends_ms().unwrap_or(0).saturating_sub(now_ms);
                headers.insert("Nats-TTL", format!("{}s", left_ms / 1_000 + 1));
            }
            Some(_) => {}
        }
        let payload = after.as_ref().map(Setting::json).unwrap_or_default().into();
        match acked(&self.client, subject, headers, payload, self.config.ack_timeout()).await {
            Ok(ack) => Ok(Some((Changed { before, after }, ack.sequence))),
            Err(Nack::Silence(_) | Nack::Refused(WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_IN_FLIGHT, _)) => {
                Ok(None)
            }
            Err(Nack::Refused(_, why)) => Err(BusError::Unavailable(why)),
        }
    }

    /// Reads the value and its revision from the leader: another replica may be behind. `None` when
    /// the servers do not answer.
    async fn read(
        &self,
        key: &SettingKey,
        subject: &str,
    ) -> Result<Option<(Option<Setting>, u64)>, BusError> {
        let read = self.store.stream.get_last_raw_message_by_subject(subject);
        let message = match tokio::time::timeout(self.config.request_timeout(), read).await {
            Ok(Ok(message)) => message,
            Ok(Err(error)) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(Some((None, 0)));
            }
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        // A key that was removed or has expired is an empty message.
        let value = (!message.payload.is_empty()).then(|| Setting::read(key, &message.payload)).transpose();
        // A value that a newer version wrote must not be overwritten.
        let value = value.map_err(|_| {
            BusError::Unavailable(format!("the stored setting {} cannot be read by this version", key.text()))
        })?;
        Ok(Some((value, message.sequence)))
    }

    /// Waits until the room's state, as the leader has it now, is in force in this process.
    pub(crate) async fn catch_up(&self, room: &RoomId) -> Result<(), BusError> {
        let caught_up = async {
            for key in [SettingKey::Room, SettingKey::Attributes, SettingKey::SuperChats] {
                let key = key(room.clone());
                let subject = format!("{}{}", self.store.prefix, key.text());
                let mut pauses = Pauses::new();
                let revision = loop {
                    match self.read(&key, &subject).await? {
                        Some((_, revision)) => break revision,
                        None => pauses.pause().await,
                    }
                };
                self.in_force(revision).await?;
            }
            Ok(())
        };
        let timed = tokio::time::timeout(self.config.publish_deadline(), caught_up).await;
        timed.unwrap_or_else(|_| Err(BusError::Unavailable("the settings were not read in time".into())))
    }

    /// Waits until a revision is in force in this process.
    async fn in_force(&self, revision: u64) -> Result<(), BusError> {
        let mut applied = self.applied.clone();
        match applied.wait_for(|applied| *applied >= revision).await {
            Ok(_) => Ok(()),
            Err(_) => Err(BusError::Unavailable("the bus has stopped".into())),
        }
    }
}

impl SettingsView {
    pub(crate) fn receive(&mut self, news: News) {
        let (is_all, entries) = match news {
            News::All(entries) => (true, entries),
            News::One(entry) => (false, vec![entry]),
        };
        let newest = entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
        self.settings.send_modify(|settings| {
            let settings = Arc::make_mut(settings);
            if is_all {
                // Rooms with their places, roles, actions, attributes, super chats, reviews and words, revocations,
                // removed media and the number of partitions never leave the bucket. One that is missing was not read yet, so the known value stays. Restrictions
                // end by themselves.
                let Settings {
                    rooms,
                    roles,
                    actions,
                    attributes,
                    super_chats,
                    reviews,
                    words,
                    revocations,
                    removed_media,
                    partitions,
                    places,
                    ..
                } = std::mem::take(settings);
                *settings = Settings {
                    rooms,
                    roles,
                    actions,
                    attributes,
                    super_chats,
                    reviews,
                    words,
                    revocations,
                    removed_media,
                    partitions,
                    places,
                    ..Settings::default()
                };
            }
            for entry in &entries {
                if apply(settings, entry).is_none() {
                    tracing::warn!(
                        revision = entry.revision,
                        "a setting cannot be parsed and is not in force"
                    );
                }
            }
        });
        self.applied.send_modify(|applied| *applied = newest.max(*applied));
    }
}

fn apply(settings: &mut Settings, entry: &Entry) -> Option<()> {
    let key = SettingKey::parse(&entry.key)?;
    let value = match is_put(entry) {
        true => Some(Setting::read(&key, &entry.value).ok()?),
        false => None,
    };
    settings.put(key, value);
    Some(())
}
