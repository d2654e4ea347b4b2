//! Handles that every part of a process uses: configuration, keys, bus, store and metrics.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use barrage_bus::{Bus, BusMetrics, EmbeddedBus, Mail, NatsBus};
use barrage_exposition::Exemplars;
use barrage_guarded::BreakerMetrics;
use barrage_http::AllowedOrigins;
use barrage_ledger::Ledger;
use barrage_protocol::Sequence;
use barrage_quota::RedisMetrics;
use barrage_store::{MeasuredStore, PostgresStore, SqliteStore, Store, StoreMetrics};
use barrage_token::Keyring;
use barrage_trace::{Exporter, Tracer};
use prometheus::Registry;

use super::inbox::{self, Inbox};
use super::process_metrics::ProcessMetrics;
use super::{build_info, conntrack};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};
use crate::roles::Roles;
use crate::supervise::Stop;

/// Handles that the roles of one process share.
pub(super) struct ProcessContext {
    pub(super) config: Config,
    pub(super) roles: Roles,
    pub(super) registry: Registry,
    /// Times of calls to Redis; registered where the configuration names a Redis.
    pub(super) redis: RedisMetrics,
    /// Traced observations of the histograms in `registry`.
    pub(super) exemplars: Exemplars,
    pub(super) keyring: Arc<Keyring>,
    pub(super) bus: Arc<dyn Bus>,
    /// Present when a role needs the store.
    pub(super) store: Option<Arc<dyn Store>>,
    /// Lanes and tables of letters; present when a role needs them.
    pub(super) inbox: Option<Inbox>,
    /// The way of live mail; present where letters are on, at gateways, couriers and push.
    pub(super) mail: Option<Arc<dyn Mail>>,
    pub(super) ledger: Ledger,
    pub(super) breakers: BreakerMetrics,
    pub(super) origins: AllowedOrigins,
    pub(super) stop: Stop,
    pub(super) tracer: Tracer,
    /// Taken by the task that runs it; `None` where nothing is traced.
    pub(super) exporter: Option<Exporter>,
}

impl ProcessContext {
    /// Opens the store and the bus, and loads the keys.
    pub(super) async fn open(config: Config, roles: Roles) -> anyhow::Result<Self> {
        let of_media = roles == Roles::MEDIA && config.postgres.is_some();
        let store = match roles.needs_store() || of_media {
            true => Some(open_store(&config).await.context("the store cannot be opened")?),
            false => None,
        };
        let make_key = if roles.is_whole() { MakeKey::IfAbsent } else { MakeKey::Never };
        let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, make_key)?);
        let registry = Registry::new();
        registry.register(Box::new(ProcessMetrics::new()?))?;
        conntrack::register(&registry)?;
        keyring.register(&registry)?;
        let store = store.map(|store| measured(store, &registry)).transpose()?;
        build_info::register(roles, &config, &registry)?;
        let (tracer, exporter) = super::traces::build(&config, roles, &registry)?;
        let bus_metrics = BusMetrics::new(&registry)?;
        let bus = open_bus(&config, store.as_ref(), bus_metrics.clone()).await?;
        let inbox = match config.has_inbox(roles) {
            true => Some(Inbox::open(&config, &bus_metrics).await?),
            false => None,
        };
        let mail = match config.has_mail(roles) {
            true => Some(inbox::open_mail(&config, &bus_metrics).await?),
            false => None,
        };
        let unseen = Registry::new();
        let redis = RedisMetrics::new(if config.redis.is_some() { &registry } else { &unseen })?;
        Ok(ProcessContext {
            ledger: Ledger::new(&registry)?,
            breakers: BreakerMetrics::new(&registry)?,
            origins: origins(&config),
            stop: Stop::default(),
            config,
            roles,
            registry,
            redis,
            exemplars: Exemplars::default(),
            keyring,
            bus,
            store,
            inbox,
            mail,
            tracer,
            exporter,
        })
    }

    /// Folders that the message log and the store write to.
    pub(super) fn written_folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if self.config.nats.is_none() {
            folders.push(self.config.data_dir.clone());
        }
        if self.config.postgres.is_none() {
            let store = self.store.as_ref().map(|_| store_file(&self.config));
            let inbox = self.inbox.as_ref().map(|_| inbox::file(&self.config));
            folders.extend(store.iter().chain(&inbox).filter_map(|file| file.parent()).map(folder));
        }
        folders.dedup();
        folders
    }
}

/// Returns a folder by a name that is not empty.
fn folder(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { ".".into() } else { folder.to_owned() }
}

/// Connects to NATS where the configuration names servers, else opens the message log of this
/// process after the last message of the store.
async fn open_bus(
    config: &Config,
    store: Option<&Arc<dyn Store>>,
    metrics: BusMetrics,
) -> anyhow::Result<Arc<dyn Bus>> {
    if let Some(nats) = &config.nats {
        return Ok(NatsBus::connect(nats.clone(), config.bus.clone(), metrics).await.context("nats")?);
    }
    let archived = match store {
        Some(store) => store.archived_up_to(0).await.context("the store cannot be read")?,
        None => Sequence::ZERO,
    };
    let file = EmbeddedBus::file(&config.data_dir);
    let bus = EmbeddedBus::open_after(&file, config.bus.clone(), metrics, archived);
    Ok(bus.context("the message log cannot be opened")?)
}

/// Times the calls of the store, for the metrics of this process.
fn measured(store: Arc<dyn Store>, registry: &Registry) -> prometheus::Result<Arc<dyn Store>> {
    Ok(Arc::new(MeasuredStore::new(store, StoreMetrics::new(registry)?)))
}

/// Opens the store that the configuration names: PostgreSQL or a SQLite file.
pub(crate) async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(postgres) = &config.postgres {
        return Ok(Arc::new(PostgresStore::open(postgres).await?));
    }
    if let Some(file) = &config.store.file {
        data_dir::warn_if_others_read(file);
    }
    Ok(Arc::new(SqliteStore::open(&store_file(config), &config.store).await?))
}

fn store_file(config: &Config) -> PathBuf {
    config.store.file.clone().unwrap_or_else(|| config.data_dir.join("store.sqlite"))
}

/// Returns the origins and host names that the public listeners accept. A server on loopback alone,
/// without trusted proxies, accepts no foreign host name (DNS rebinding).
fn origins(config: &Config) -> AllowedOrigins {
    let is_local = config.listen.iter().all(|address| address.ip().is_loopback());
    let is_local = is_local && config.http.trusted_proxies.is_empty();
    AllowedOrigins::new(&config.http.allowed_origins).with_hosts(&config.http.hosts, is_local)
}
