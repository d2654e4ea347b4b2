//! One process of Barrage: any of its roles, wired together and run until a signal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use barrage_archiver::{ArchiverError, ArchiverMetrics, Report};
use barrage_bus::{Bus, BusMetrics, Change, EmbeddedBus, NatsBus, RoomSettings};
use barrage_entry::{Entry, Here};
use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{BreakerMetrics, Guarded, Ledger, LocalQuota, Quota};
use barrage_gateway::{Access, Gateway, GatewayMetrics};
use barrage_http::{AdminGate, AdminRoutes, AllowedOrigins, AuditLog, AuditSink, Front, HttpConfig, Tls};
use barrage_moderation::{ModerationMetrics, Moderator};
use barrage_protocol::RoomId;
use barrage_quota::{QuotaMetrics, RedisOnline, RedisQuota};
use barrage_store::{PostgresStore, SqliteStore, Store};
use barrage_token::Keyring;
use barrage_uplink::{Parts, Uplink, UplinkMetrics};
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::breakers::Breakers;
use crate::config::Config;
use crate::data_dir::{self, MakeKey};
use crate::health::{self, Health};
use crate::process_metrics::ProcessMetrics;
use crate::replay::{self, Replay};
use crate::roles::Roles;
use crate::stop::{self, Stop};
use crate::{cli, ledgers, page};

/// The room that is always there.
const DEMO_ROOM: &str = "demo";
/// For a gateway alone: a tenth of the default window.
const GATHER_US_MAX: u64 = 5_000;
/// How often the number of instances that share a limit is looked up.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What a process is asked to do.
pub(crate) struct Asked {
    pub(crate) roles: Roles,
    pub(crate) replay: Option<Replay>,
    /// Ends with its standard input.
    pub(crate) with_stdin: bool,
}

/// Builds the runtime and runs until the end is asked for.
pub(crate) fn main(config: Config, asked: Asked) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(run(config, asked))
}

/// What all roles stand on.
struct Ground {
    config: Config,
    registry: Registry,
    keyring: Arc<Keyring>,
    bus: Arc<dyn Bus>,
    ledger: Ledger,
    breakers: BreakerMetrics,
    origins: AllowedOrigins,
    stop: Stop,
}

async fn run(mut config: Config, asked: Asked) -> anyhow::Result<()> {
    let Asked { roles, replay, with_stdin } = asked;
    if roles != Roles::ALL && config.nats.is_none() {
        bail!(
            "a process with one role alone needs [nats] to meet the others; \
             `barrage up` runs all of them in one process"
        );
    }
    let tls = Tls::load(&config.http)?;
    let lock = data_dir::open(&config.data_dir)?;
    let public = if roles.is_public() { listen(&config.listen)? } else { Vec::new() };
    let admin = listen(&[config.admin_listen])?;
    let addresses = local_addresses(&public)?;
    if !roles.entry {
        name_urls(&mut config, &addresses)?;
    }
    if let Some(nats) = config.nats.as_mut().filter(|_| roles == Roles::GATEWAY) {
        nats.gather_us_max.get_or_insert(GATHER_US_MAX);
    }
    let ground = Box::pin(ground(config, roles)).await?;
    let store = match roles.needs_store() {
        true => Some(store(&ground.config).await.context("the store cannot be opened")?),
        false => None,
    };
    if roles.uplink {
        make_room(&ground.bus, DEMO_ROOM.parse().expect("a valid id")).await?;
        if let Some(replay) = &replay {
            make_room(&ground.bus, replay.room.clone()).await?;
        }
    }
    let Ground { config, stop, .. } = &ground;
    let archiver = match &store {
        Some(store) if roles.archiver => Some(archiver(&ground, store)?),
        _ => None,
    };
    let counting = match roles.needs_quota() {
        true => Some(quota(&ground)?),
        false => None,
    };
    let (mut public_router, mut greeter) = (Router::new(), None);
    let health = Health {
        roles,
        bus: Arc::clone(&ground.bus),
        store: store.clone(),
        registry: ground.registry.clone(),
        front: stop.front.clone(),
    };
    let mut admin_routes = health::admin_router(health.clone());
    let mut audit: Arc<dyn AuditSink> = Arc::new(AuditLog);
    // Ends after the shutdown of those in front.
    let mut front: Vec<JoinHandle<()>> = Vec::new();
    if roles.gateway {
        let gateway = gateway(&ground)?;
        public_router = public_router.merge(gateway.router());
        greeter = Some(gateway.greeter());
        admin_routes = admin_routes.merge(gateway.admin_router());
        front.push(tokio::spawn(gateway.run()));
    }
    if let (Some(counting), Some(store), true) = (&counting, &store, roles.uplink) {
        let uplink = uplink(&ground, counting, store)?;
        public_router = public_router.merge(barrage_uplink::router(Arc::clone(&uplink)));
        admin_routes = admin_routes.merge(barrage_uplink::admin_router(Arc::clone(&uplink)));
        audit = Arc::clone(&uplink) as Arc<dyn AuditSink>;
        if let Some(replay) = replay {
            tokio::spawn(replay::run(replay, Arc::clone(&uplink), stop.front.clone()));
        }
        let shutdown = stop.front.clone();
        front.push(tokio::spawn(async move { uplink.run(shutdown).await }));
    }
    if let (Some(counting), true) = (&counting, roles.entry) {
        let (routes, of_entry, reports) = entry(&ground, counting, &addresses)?;
        public_router = public_router.merge(routes);
        admin_routes = admin_routes.merge(of_entry);
        front.push(reports);
        ledgers::follow(Arc::clone(&ground.bus), &ground.registry)?;
    }
    let public_router = public_router
        .fallback(page::fallback)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .layer(ground.origins.layer());
    let gate = AdminGate::new(Arc::clone(&ground.keyring), audit, &ground.registry)?;
    let admin_router = health::router(health)
        .merge(gate.guard(admin_routes))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed);
    let admin_address = local_addresses(&admin)?[0];
    if roles.is_public() {
        let http = config.http.clone();
        let shutdown = stop.front.clone();
        let before = Front { greeter, tls };
        front.push(tokio::spawn(barrage_http::serve_public(public, public_router, before, http, shutdown)));
    }
    // Health and metrics answer until the end.
    let admin_served =
        tokio::spawn(barrage_http::serve(admin, admin_router, config.http.clone(), stop.admin.clone()));
    announce(roles, &addresses, admin_address, config)?;

    let ended = wait(&ground, archiver, front, with_stdin).await;
    stop.admin.cancel();
    admin_served.await.context("the admin listener failed")?;
    if let Some(store) = store {
        store.close().await;
    }
    if let Some(report) = ended? {
        tracing::info!(archived = report.archived, positions = ?report.positions, "stopped");
    }
    drop(lock);
    Ok(())
}

type Archiving = JoinHandle<Result<Report, ArchiverError>>;

/// Waits for the end, and lets those in front end before the archiver.
async fn wait(
    ground: &Ground,
    mut archiver: Option<Archiving>,
    front: Vec<JoinHandle<()>>,
    with_stdin: bool,
) -> anyhow::Result<Option<Report>> {
    let stop = &ground.stop;
    let archiver_ends = async {
        match &mut archiver {
            Some(archiver) => archiver.await,
            None => std::future::pending().await,
        }
    };
    let early = tokio::select! {
        () = stop::asked(with_stdin) => None,
        ended = archiver_ends => Some(ended),
    };
    tracing::info!("draining");
    stop.front.cancel();
    for part in front {
        part.await.context("a part failed")?;
    }
    stop.archiver.cancel();
    let ended = match (early, archiver) {
        (Some(ended), _) => Some(ended),
        (None, Some(archiver)) => Some(archiver.await),
        (None, None) => None,
    };
    match ended {
        Some(ended) => Ok(Some(ended.context("the archiver failed")?.context("the archiver stopped")?)),
        None => Ok(None),
    }
}

async fn ground(config: Config, roles: Roles) -> anyhow::Result<Ground> {
    let make = if roles == Roles::ALL { MakeKey::IfAbsent } else { MakeKey::Never };
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, make)?);
    let registry = Registry::new();
    registry.register(Box::new(ProcessMetrics::new()?))?;
    let metrics = BusMetrics::new(&registry)?;
    let bus: Arc<dyn Bus> = match &config.nats {
        Some(nats) => NatsBus::connect(nats.clone(), config.bus.clone(), metrics).await.context("nats")?,
        None => EmbeddedBus::open(&EmbeddedBus::file(&config.data_dir), config.bus.clone(), metrics)
            .context("the message log cannot be opened")?,
    };
    Ok(Ground {
        ledger: Ledger::new(&registry)?,
        breakers: BreakerMetrics::new(&registry)?,
        origins: AllowedOrigins::new(&config.http.allowed_origins),
        stop: Stop::default(),
        config,
        registry,
        keyring,
        bus,
    })
}

async fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let file = || config.store.file.clone().unwrap_or_else(|| config.data_dir.join("store.sqlite"));
    Ok(match &config.postgres {
        Some(postgres) => Arc::new(PostgresStore::open(postgres).await?),
        None => Arc::new(SqliteStore::open(&file(), &config.store).await?),
    })
}

fn archiver(ground: &Ground, store: &Arc<dyn Store>) -> anyhow::Result<Archiving> {
    Ok(tokio::spawn(barrage_archiver::run(
        Arc::clone(&ground.bus),
        Arc::clone(store),
        ground.config.archiver.clone(),
        ArchiverMetrics::new(&ground.registry)?,
        ground.stop.archiver.clone(),
    )))
}

/// Where limits are counted, and the breaker before it if that is elsewhere.
struct Counting {
    quota: Arc<dyn Quota>,
    redis: Option<Arc<Guarded>>,
}

fn quota(ground: &Ground) -> anyhow::Result<Counting> {
    let registry = &ground.registry;
    let Some(redis) = &ground.config.redis else {
        let quota = Arc::new(LocalQuota::new(&ground.config.quota, FlowMetrics::new(registry)?));
        return Ok(Counting { quota, redis: None });
    };
    let metrics = QuotaMetrics::new(registry)?;
    let quota = RedisQuota::new(redis, instances(Arc::clone(&ground.bus)), metrics, &ground.breakers);
    let quota = quota.context("redis")?;
    let breaker = quota.breaker();
    Ok(Counting { quota: Arc::new(quota), redis: Some(breaker) })
}

/// How many uplinks share each limit, for the time that Redis is away.
fn instances(bus: Arc<dyn Bus>) -> watch::Receiver<usize> {
    let (tell, told) = watch::channel(1);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(COUNT_EVERY);
        while !tell.is_closed() {
            tick.tick().await;
            let live = bus.uplinks().len().max(1);
            tell.send_if_modified(|count| std::mem::replace(count, live) != live);
        }
    });
    told
}

fn gateway(ground: &Ground) -> anyhow::Result<Gateway> {
    let access = Access {
        keyring: Arc::clone(&ground.keyring),
        anonymous: ground.config.token.anonymous,
        origins: ground.origins.clone(),
    };
    let metrics = GatewayMetrics::new(&ground.registry, ground.ledger.clone())?;
    let (bus, config) = (Arc::clone(&ground.bus), ground.config.gateway.clone());
    let gateway = Gateway::start(bus, access, config, metrics, ground.stop.front.clone())?;
    Ok(match &ground.config.redis {
        Some(redis) => gateway.with_online(Arc::new(RedisOnline::new(redis).context("redis")?)),
        None => gateway,
    })
}

fn uplink(ground: &Ground, counting: &Counting, store: &Arc<dyn Store>) -> anyhow::Result<Arc<Uplink>> {
    let config = &ground.config;
    let metrics = ModerationMetrics::new(&ground.registry)?;
    let moderator = Arc::new(Moderator::new(config.moderation.clone(), metrics, &ground.breakers)?);
    let parts = Parts {
        bus: Arc::clone(&ground.bus),
        store: Arc::clone(store),
        keyring: Arc::clone(&ground.keyring),
        quota: Arc::clone(&counting.quota),
        moderator: Arc::clone(&moderator),
        ledger: ground.ledger.clone(),
        anonymous: config.token.anonymous,
    };
    let redis = counting.redis.clone();
    tokio::spawn(Breakers { redis, moderator }.follow(Arc::clone(&ground.bus)));
    Uplink::new(parts, config.uplink.clone(), UplinkMetrics::new(&ground.registry)?).context("uplink.limits")
}

/// Entry's routes with those for guests of the page, its admin side, and its reports to the
/// registry.
fn entry(
    ground: &Ground,
    counting: &Counting,
    addresses: &[SocketAddr],
) -> anyhow::Result<(Router, AdminRoutes, JoinHandle<()>)> {
    let config = &ground.config;
    let ports = addresses.iter().map(SocketAddr::port).collect();
    let here = Here { is_tls: config.http.tls_cert_file.is_some(), ports };
    let (bus, quota) = (Arc::clone(&ground.bus), Arc::clone(&counting.quota));
    let keyring = Arc::clone(&ground.keyring);
    let entry = Entry::new(bus, quota, here, config.entry.clone(), &ground.registry, keyring)?;
    let is_local = || addresses.iter().all(|address| address.ip().is_loopback());
    let is_open = config.token.guests.unwrap_or_else(is_local);
    let guests = barrage_uplink::guest_router(Arc::clone(&ground.keyring), &config.uplink, is_open);
    let reports = tokio::spawn(barrage_entry::run(Arc::clone(&entry), ground.stop.front.clone()));
    let admin_routes = barrage_entry::admin_router(Arc::clone(&entry));
    Ok((barrage_entry::router(entry).merge(guests), admin_routes, reports))
}

/// Clients find a process without entry by URLs: those of its listeners if none are
/// configured.
fn name_urls(config: &mut Config, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let scheme = scheme(&config.http);
    for urls in [&mut config.gateway.base_urls, &mut config.uplink.base_urls] {
        if !urls.is_empty() {
            continue;
        }
        if addresses.iter().any(|address| address.ip().is_unspecified()) {
            bail!(
                "clients need a URL to reach this process by: set gateway.base_urls or uplink.base_urls, \
                 or listen on one address"
            );
        }
        *urls = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
    }
    Ok(())
}

/// Of the public listeners.
fn scheme(http: &HttpConfig) -> &'static str {
    if http.tls_cert_file.is_some() { "https" } else { "http" }
}

fn listen(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let bind = |address: &SocketAddr| {
        barrage_http::listen(*address).with_context(|| {
            format!("{address} cannot be listened on; is another barrage running? (--listen, --admin-listen)")
        })
    };
    addresses.iter().map(bind).collect()
}

fn local_addresses(listeners: &[TcpListener]) -> anyhow::Result<Vec<SocketAddr>> {
    listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect()
}

async fn make_room(bus: &Arc<dyn Bus>, id: RoomId) -> anyhow::Result<()> {
    if bus.settings().borrow().rooms.contains_key(&id) {
        return Ok(());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let settings = RoomSettings {
        title: id.to_string(),
        stream_started_at_ms: u64::try_from(now.as_millis())?,
        ..RoomSettings::default()
    };
    bus.change(Change::Room(id, settings)).await.context("the room cannot be made")
}

fn announce(
    roles: Roles,
    addresses: &[SocketAddr],
    admin: SocketAddr,
    config: &Config,
) -> anyhow::Result<()> {
    cli::say("Barrage is up.")?;
    for address in addresses {
        cli::say(format!("  {:<7} {}://{address}/", roles.label(), scheme(&config.http)))?;
    }
    cli::say(format!("  admin   http://{admin}/  (/metrics, /healthz, /readyz, /v1/admin)"))?;
    cli::say(format!("  data    {}", config.data_dir.display()))?;
    cli::say("  stop    Ctrl-C")
}
