//! The lanes and the tables of letters.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use barrage_bus::{BusMetrics, EmbeddedLanes, EmbeddedMail, Lanes, Mail, NatsLanes, NatsMail};
use barrage_protocol::Sequence;
use barrage_store::{InboxReads, PostgresInbox, SqliteInbox};
use barrage_uplink::{InboxParts, Pseudonyms};

use crate::config::Config;
use crate::data_dir;

/// Lanes and tables, which the uplink and the courier of a process share.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) lanes: Arc<dyn Lanes>,
    pub(super) store: Arc<dyn InboxReads>,
    secret: [u8; 32],
}

impl Inbox {
    /// Opens the tables, and then the lanes behind what the tables have.
    pub(super) async fn open(config: &Config, metrics: &BusMetrics) -> anyhow::Result<Self> {
        let store = open_store(config).await.context("the inbox cannot be opened")?;
        let secret = store.secret().await.context("the inbox cannot be read")?;
        let count = if config.nats.is_some() { config.inbox.lanes } else { 1 };
        let mut taken = vec![Sequence::ZERO; usize::from(count)];
        for (lane, mark) in store.marks().await.context("the inbox cannot be read")? {
            if let Some(place) = taken.get_mut(usize::from(lane)) {
                *place = mark;
            }
        }
        let entries_max = config.inbox.lane_entries_max;
        let lanes: Arc<dyn Lanes> = match &config.nats {
            Some(nats) => {
                let lanes = NatsLanes::connect(nats.clone(), &config.bus, metrics, &taken, entries_max).await;
                lanes.context("the lanes on nats")?
            }
            None => {
                let file = EmbeddedLanes::file(&config.data_dir);
                let lanes = EmbeddedLanes::open(&file, taken[0], entries_max);
                lanes.context("the lane cannot be opened")?
            }
        };
        Ok(Inbox { lanes, store, secret })
    }

    /// Returns the pseudonyms that the tables have for users who were erased.
    pub(super) fn pseudonyms(&self) -> Pseudonyms {
        Pseudonyms::new(&self.secret)
    }

    /// Returns the parts of an uplink.
    pub(super) fn parts(&self, config: &Config) -> InboxParts {
        InboxParts {
            lanes: Arc::clone(&self.lanes),
            store: Arc::clone(&self.store),
            secret: self.secret,
            config: config.inbox.limits.clone(),
        }
    }
}

/// Opens the way of live mail between couriers and gateways: channels of this process, or NATS.
pub(super) async fn open_mail(config: &Config, metrics: &BusMetrics) -> anyhow::Result<Arc<dyn Mail>> {
    Ok(match &config.nats {
        Some(nats) => NatsMail::connect(nats, &config.bus, metrics).await.context("mail on nats")?,
        None => Arc::new(EmbeddedMail::new()),
    })
}

/// Opens the tables that the configuration names: PostgreSQL or a SQLite file.
async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn InboxReads>> {
    if let Some(postgres) = &config.postgres {
        return Ok(Arc::new(PostgresInbox::open(postgres).await?));
    }
    let file = file(config);
    if config.inbox.file.is_some() {
        data_dir::warn_if_others_read(&file);
    }
    Ok(Arc::new(SqliteInbox::open(&file).await?))
}

/// Returns the SQLite file of the tables.
pub(super) fn file(config: &Config) -> PathBuf {
    config.inbox.file.clone().unwrap_or_else(|| config.data_dir.join("inbox.sqlite"))
}
