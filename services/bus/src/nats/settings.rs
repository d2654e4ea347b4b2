//! Settings in a bucket: a key each, in force wherever they are watched.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Store};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use super::bucket::{News, is_put};
use super::config::NatsConfig;
use super::link::{Nack, Pauses, acked};
use super::names::SettingKey;
use super::setup::MARKER_AGE;
use crate::bus::BusError;
use crate::clock::unix_ms;
use crate::config::BusConfig;
use crate::settings::{Change, Settings};

/// Settings as they are here, and the way to change them.
pub(crate) struct SettingsKeeper {
    client: Client,
    prefix: String,
    config: NatsConfig,
    limits: BusConfig,
    settings: watch::Receiver<Arc<Settings>>,
    applied: watch::Receiver<u64>,
}

/// The side that listens to the bucket.
pub(crate) struct SettingsView {
    settings: watch::Sender<Arc<Settings>>,
    /// Revision of the newest change in force.
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
        let prefix = store.prefix.clone();
        (SettingsKeeper { client, prefix, config, limits, settings, applied }, view)
    }

    pub(crate) fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.clone()
    }

    /// Stores the change and waits until it is in force here.
    pub(crate) async fn change(&self, change: Change) -> Result<(), BusError> {
        self.admit(&change)?;
        let (key, value, age) = self.write(change);
        let mut pauses = Pauses::new();
        let stored = async {
            loop {
                match self.put(&key, value.clone(), age).await {
                    Ok(revision) => return self.in_force(revision).await,
                    Err(Nack::Silence(_)) => pauses.pause().await,
                    Err(Nack::Refused(_, why)) => return Err(BusError::Unavailable(why)),
                }
            }
        };
        let timed = tokio::time::timeout(self.config.publish_deadline(), stored).await;
        timed.unwrap_or_else(|_| Err(BusError::Unavailable("the setting was not confirmed in time".into())))
    }

    /// Whether there is room. Two processes may decide at once: the bound is soft by
    /// as many as there are.
    fn admit(&self, change: &Change) -> Result<(), BusError> {
        let settings = self.settings.borrow();
        match change {
            Change::Room(room, _) => {
                let known = settings.rooms.contains_key(room);
                if !known && settings.rooms.len() >= self.limits.rooms_max {
                    return Err(BusError::Full("room"));
                }
            }
            Change::Restrict { room, user, restriction: Some(_) } => {
                let known = settings.restrictions.contains_key(&(room.clone(), user.clone()));
                if !known && settings.restrictions.len() >= self.limits.restrictions_max {
                    return Err(BusError::Full("restriction"));
                }
            }
            Change::Restrict { restriction: None, .. } | Change::Switches(_) => {}
        }
        Ok(())
    }

    /// Key, value (none removes it) and age at which the server removes it.
    fn write(&self, change: Change) -> (String, Option<Bytes>, Option<Duration>) {
        match change {
            Change::Room(room, settings) => (SettingKey::Room(room).text(), Some(json(&settings)), None),
            Change::Restrict { room, user, restriction } => {
                let key = SettingKey::Restriction(room, user).text();
                let age = restriction.map(|it| Duration::from_millis(it.until_ms.saturating_sub(unix_ms())));
                (key, restriction.map(|it| json(&it)), age)
            }
            Change::Switches(switches) => (SettingKey::Switches.text(), Some(json(&switches)), None),
        }
    }

    async fn put(&self, key: &str, value: Option<Bytes>, age: Option<Duration>) -> Result<u64, Nack> {
        let mut headers = HeaderMap::new();
        let age = if value.is_none() {
            headers.insert("KV-Operation", "DEL");
            Some(MARKER_AGE)
        } else {
            age
        };
        if let Some(age) = age {
            headers.insert("Nats-TTL", format!("{}s", age.as_secs() + 1));
        }
        let subject = format!("{}{key}", self.prefix);
        let payload = value.unwrap_or_default();
        let timeout = self.config.ack_timeout();
        Ok(acked(&self.client, subject, headers, payload, timeout).await?.sequence)
    }

    async fn in_force(&self, revision: u64) -> Result<(), BusError> {
        let mut applied = self.applied.clone();
        match applied.wait_for(|applied| *applied >= revision).await {
            Ok(_) => Ok(()),
            Err(_) => Err(BusError::Unavailable("it has stopped".into())),
        }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("settings are plain data").into()
}

impl SettingsView {
    pub(crate) fn tell(&mut self, news: News) {
        let (mut settings, entries) = match news {
            // A room never leaves the bucket, so one that is missing was read too early: what is
            // known of it stands. Restrictions end by themselves.
            News::All(entries) => {
                let rooms = self.settings.borrow().rooms.clone();
                (Settings { rooms, ..Settings::default() }, entries)
            }
            News::One(entry) => (Settings::clone(&self.settings.borrow()), vec![entry]),
        };
        let newest = entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
        for entry in &entries {
            if apply(&mut settings, entry).is_none() {
                tracing::warn!(revision = entry.revision, "a setting cannot be read and is not in force");
            }
        }
        self.settings.send_replace(Arc::new(settings));
        self.applied.send_modify(|applied| *applied = newest.max(*applied));
    }
}

fn apply(settings: &mut Settings, entry: &Entry) -> Option<()> {
    let key = SettingKey::parse(&entry.key)?;
    let value = is_put(entry).then_some(&entry.value[..]);
    match (key, value) {
        (SettingKey::Switches, Some(value)) => settings.switches = serde_json::from_slice(value).ok()?,
        (SettingKey::Switches, None) => settings.switches = crate::Switches::default(),
        (SettingKey::Room(room), Some(value)) => {
            settings.rooms.insert(room, serde_json::from_slice(value).ok()?);
        }
        (SettingKey::Room(room), None) => drop(settings.rooms.remove(&room)),
        (SettingKey::Restriction(room, user), Some(value)) => {
            settings.restrictions.insert((room, user), serde_json::from_slice(value).ok()?);
        }
        (SettingKey::Restriction(room, user), None) => {
            settings.restrictions.remove(&(room, user));
        }
    }
    Some(())
}
