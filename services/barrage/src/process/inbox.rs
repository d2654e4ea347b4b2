//! The lanes and the tables of letters, and the courier between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use barrage_bus::{BusMetrics, EmbeddedLanes, EmbeddedMail, Lanes, Mail, NatsLanes, NatsMail};
use barrage_courier::{CourierError, CourierMetrics, MailSink, Mailer, NoMail};
use barrage_protocol::Sequence;
use barrage_store::{InboxReads, InboxStore, PostgresInbox, SqliteInbox};
use barrage_uplink::InboxParts;

use super::context::ProcessContext;
use super::media;
use crate::config::Config;
use crate::data_dir;
use crate::supervise::{Stage, Supervisor, Task, Wakeup};

/// Wait before a courier that could not go on is started again, in a process with other roles.
const AGAIN: Duration = Duration::from_secs(10);

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

    /// Returns the parts of an uplink.
    pub(super) fn parts(&self, config: &Config) -> InboxParts {
        InboxParts {
            lanes: Arc::clone(&self.lanes),
            store: Arc::clone(&self.store),
            secret: self.secret,
            config: config.inbox.limits.clone(),
        }
    }

    /// Starts the courier. What the lanes hold at the shutdown is taken before its end, for a bounded time.
    pub(super) fn start_courier(
        &self,
        context: &ProcessContext,
        tasks: &mut Supervisor,
    ) -> anyhow::Result<()> {
        let (config, stop) = (context.config.inbox.courier.clone(), context.stop.archiver.clone());
        let metrics = CourierMetrics::new(&context.registry)?;
        let store = Arc::clone(&self.store) as Arc<dyn InboxStore>;
        let sink: Arc<dyn MailSink> = match &context.mail {
            Some(mail) => {
                let (mail, store) = (Arc::clone(mail), Arc::clone(&store));
                let (queue, mailer) = Mailer::new(&config, self.lanes.lanes(), mail, store, metrics.clone());
                let mailer = mailer.with_addresses(media::of_messages(context)?);
                let stop = stop.clone();
                tasks.spawn(Task::new("mail", Stage::Archiver), Wakeup::OwnTimer, async move {
                    mailer.run(stop).await;
                    Ok(())
                });
                Arc::new(queue)
            }
            None => Arc::new(NoMail),
        };
        let parts = barrage_courier::Parts { lanes: Arc::clone(&self.lanes), store, sink };
        // Rooms must not end with the inbox: in a process with other roles the courier is started again.
        let is_alone = !context.roles.is_public();
        tasks.spawn(Task::new("courier", Stage::Archiver), Wakeup::Supervisor, async move {
            loop {
                match barrage_courier::run(config.clone(), parts.clone(), metrics.clone(), stop.clone()).await
                {
                    Ok(report) => {
                        tracing::info!(events = report.events, "the courier stopped");
                        return Ok(());
                    }
                    Err(CourierError::Store { lane, after, source }) if !is_alone => {
                        let cause = std::error::Error::source(&source).map(ToString::to_string);
                        tracing::error!(
                            lane,
                            %after,
                            error = %source,
                            cause = cause.unwrap_or_default(),
                            "the courier cannot go on; letters wait in the lanes"
                        );
                        if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                            return Ok(());
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        });
        Ok(())
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
