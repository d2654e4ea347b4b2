//! `barrage up`: every role in one process.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use barrage_archiver::ArchiverMetrics;
use barrage_bus::{Bus, BusMetrics, Change, EmbeddedBus, NatsBus, RoomSettings};
use barrage_entry::Entry;
use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{BreakerMetrics, Guarded, Ledger, LocalQuota, Quota};
use barrage_gateway::{Access, Gateway, GatewayMetrics};
use barrage_http::AllowedOrigins;
use barrage_moderation::{ModerationMetrics, Moderator};
use barrage_protocol::{Code, RoomId};
use barrage_quota::{QuotaMetrics, RedisQuota};
use barrage_recording::Limits;
use barrage_store::{PostgresStore, SqliteStore, Store};
use barrage_uplink::{Parts, Uplink, UplinkMetrics};
use prometheus::Registry;
use prometheus::process_collector::ProcessCollector;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::breakers::Breakers;
use crate::cli::{self, Up};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};
use crate::replay::{self, Replay};
use crate::{page, telemetry};

/// The room that is always there.
const DEMO_ROOM: &str = "demo";

/// Builds the runtime and runs until a signal.
pub(crate) fn main(config: Config, asked: &Up) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let replay = recording(asked)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(run(config, replay))
}

async fn bus(config: &Config, registry: &Registry) -> anyhow::Result<Arc<dyn Bus>> {
    let metrics = BusMetrics::new(registry)?;
    Ok(match &config.nats {
        Some(nats) => NatsBus::connect(nats.clone(), config.bus.clone(), metrics).await.context("nats")?,
        None => EmbeddedBus::open(&EmbeddedBus::file(&config.data_dir), config.bus.clone(), metrics)
            .context("the message log cannot be opened")?,
    })
}

async fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match &config.postgres {
        Some(postgres) => Arc::new(PostgresStore::open(postgres).await?),
        None => Arc::new(SqliteStore::open(&config.data_dir.join("store.sqlite"), &config.store).await?),
    })
}

/// Where limits are counted, and the breaker before it if that is elsewhere.
struct Counting {
    quota: Arc<dyn Quota>,
    redis: Option<Arc<Guarded>>,
}

fn quota(config: &Config, registry: &Registry, breakers: &BreakerMetrics) -> anyhow::Result<Counting> {
    let Some(redis) = &config.redis else {
        let quota = Arc::new(LocalQuota::new(&config.quota, FlowMetrics::new(registry)?));
        return Ok(Counting { quota, redis: None });
    };
    // One process has all of each limit when Redis is away.
    let (_, instances) = tokio::sync::watch::channel(1);
    let quota = RedisQuota::new(redis, instances, QuotaMetrics::new(registry)?, breakers).context("redis")?;
    let breaker = quota.breaker();
    Ok(Counting { quota: Arc::new(quota), redis: Some(breaker) })
}

/// The recording that the flags ask for, read before anything is started.
fn recording(asked: &Up) -> anyhow::Result<Option<Replay>> {
    let (bytes, again) = match (&asked.replay, asked.demo) {
        (Some(path), _) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("--replay {} cannot be read", path.display()))?;
            (bytes, asked.again)
        }
        (None, true) => (barrage_recording::DEMO.to_vec(), true),
        (None, false) => return Ok(None),
    };
    let recording =
        barrage_recording::parse(&bytes, &Limits::default()).context("the recording cannot be read")?;
    if recording.skipped.total() > 0 {
        cli::say(format!(
            "  note    of the recording, {} entries are left out: {}",
            recording.skipped.total(),
            recording.skipped
        ))?;
    }
    Ok(Some(Replay { recording, room: asked.room.clone(), speed: asked.speed, again }))
}

async fn run(config: Config, replay: Option<Replay>) -> anyhow::Result<()> {
    let lock = data_dir::open(&config.data_dir)?;
    let public = listen(&config.listen)?;
    let admin = listen(&[config.admin_listen])?;
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, MakeKey::IfAbsent)?);
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let bus = bus(&config, &registry).await?;
    let store = store(&config).await.context("the store cannot be opened")?;
    make_room(&bus, DEMO_ROOM.parse().expect("a valid id")).await?;
    if let Some(replay) = &replay {
        make_room(&bus, replay.room.clone()).await?;
    }

    let ledger = Ledger::new(&registry)?;
    let breakers = BreakerMetrics::new(&registry)?;
    let stop = Stop::default();
    let archiver = tokio::spawn(barrage_archiver::run(
        Arc::clone(&bus),
        Arc::clone(&store),
        config.archiver.clone(),
        ArchiverMetrics::new(&registry)?,
        stop.archiver.clone(),
    ));
    let origins = AllowedOrigins::new(&config.http.allowed_origins);
    let gateway = Gateway::start(
        Arc::clone(&bus),
        Access { keyring: Arc::clone(&keyring), anonymous: config.token.anonymous, origins: origins.clone() },
        config.gateway.clone(),
        GatewayMetrics::new(&registry, ledger.clone())?,
        stop.front.clone(),
    )?;
    let addresses = local_addresses(&public)?;
    let guests =
        config.token.guests.unwrap_or_else(|| addresses.iter().all(|address| address.ip().is_loopback()));
    let moderator = Moderator::new(config.moderation.clone(), ModerationMetrics::new(&registry)?, &breakers)?;
    let moderator = Arc::new(moderator);
    let Counting { quota, redis } = quota(&config, &registry, &breakers)?;
    let parts = Parts {
        bus: Arc::clone(&bus),
        store: Arc::clone(&store),
        keyring,
        quota: Arc::clone(&quota),
        moderator: Arc::clone(&moderator),
        ledger,
        anonymous: config.token.anonymous,
        guests,
    };
    let uplink =
        Uplink::new(parts, config.uplink.clone(), UplinkMetrics::new(&registry)?).context("uplink.limits")?;
    tokio::spawn(Breakers { redis, moderator }.follow(Arc::clone(&bus)));
    let summing = tokio::spawn({
        let (uplink, shutdown) = (Arc::clone(&uplink), stop.front.clone());
        async move { uplink.run(shutdown).await }
    });
    let ports = addresses.iter().map(SocketAddr::port).collect();
    let entry = Entry::new(Arc::clone(&bus), quota, ports, config.entry.clone(), &registry)?;
    let public_router = gateway
        .router()
        .merge(barrage_uplink::router(Arc::clone(&uplink)))
        .merge(barrage_entry::router(entry))
        .fallback(page::fallback)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .layer(origins.layer());
    let health =
        Health { bus: Arc::clone(&bus), store: Arc::clone(&store), registry, front: stop.front.clone() };
    let admin_router = barrage_uplink::admin_router(Arc::clone(&uplink))
        .merge(gateway.admin_router())
        .merge(health_router(health))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed);
    let admin_address = local_addresses(&admin)?[0];

    let gateway = tokio::spawn(gateway.run());
    let served =
        tokio::spawn(barrage_http::serve(public, public_router, config.http.clone(), stop.front.clone()));
    // Health and metrics answer until the end.
    let admin_served =
        tokio::spawn(barrage_http::serve(admin, admin_router, config.http.clone(), stop.admin.clone()));
    if let Some(replay) = replay {
        tokio::spawn(replay::run(replay, Arc::clone(&uplink), stop.front.clone()));
    }
    announce(&addresses, admin_address, &config)?;

    let mut archiver = archiver;
    let early = tokio::select! {
        () = signal() => None,
        ended = &mut archiver => Some(ended),
    };
    tracing::info!("draining");
    stop.front.cancel();
    summing.await.context("the uplink failed")?;
    gateway.await.context("the gateway failed")?;
    served.await.context("the listeners failed")?;
    stop.archiver.cancel();
    let ended = match early {
        Some(ended) => ended,
        None => archiver.await,
    };
    stop.admin.cancel();
    admin_served.await.context("the admin listener failed")?;
    store.close().await;
    let report = ended.context("the archiver failed")?.context("the archiver stopped")?;
    tracing::info!(archived = report.archived, position = %report.position, "stopped");
    drop(lock);
    Ok(())
}

/// In the order in which parts stop: those in front, the archiver, admin.
#[derive(Default)]
struct Stop {
    front: CancellationToken,
    archiver: CancellationToken,
    admin: CancellationToken,
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

fn announce(addresses: &[SocketAddr], admin: SocketAddr, config: &Config) -> anyhow::Result<()> {
    cli::say("Barrage is up.")?;
    for address in addresses {
        cli::say(format!("  page    http://{address}/"))?;
    }
    cli::say(format!("  admin   http://{admin}/  (/metrics, /healthz, /readyz, /v1/admin)"))?;
    cli::say(format!("  data    {}", config.data_dir.display()))?;
    cli::say("  stop    Ctrl-C")
}

async fn signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C works");
            drop(tokio::signal::ctrl_c().await);
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// What the health resources look at.
#[derive(Clone)]
struct Health {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    registry: Registry,
    front: CancellationToken,
}

fn health_router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Ready: takes viewers and messages. Load is never expressed here.
async fn ready(State(health): State<Health>) -> Result<&'static str, barrage_http::ApiError> {
    let refusal = |why: &str| barrage_http::ApiError::new(Code::Unavailable, why).retry_after_ms(1_000);
    if health.front.is_cancelled() {
        return Err(refusal("this process is leaving"));
    }
    health.store.ping().await.map_err(|_| refusal("the store does not answer"))?;
    if health.bus.gateways().is_empty() {
        return Err(refusal("no gateway has reported yet"));
    }
    Ok("ready\n")
}

async fn metrics(State(health): State<Health>) -> Result<String, barrage_http::ApiError> {
    prometheus::TextEncoder::new()
        .encode_to_string(&health.registry.gather())
        .map_err(|error| barrage_http::ApiError::new(Code::Internal, error.to_string()))
}
