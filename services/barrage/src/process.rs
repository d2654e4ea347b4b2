//! One process of Barrage: any of its roles, wired together and run until a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use barrage_archiver::ArchiverMetrics;
use barrage_bus::{Bus, BusMetrics, Change, EmbeddedBus, NatsBus, RoomPatch};
use barrage_entry::{Entry, LocalEndpoints};
use barrage_flow::metrics::FlowMetrics;
use barrage_flow::{BreakerMetrics, Guarded, Ledger, LocalQuota, Quota};
use barrage_gateway::{Access, Gateway, GatewayMetrics};
use barrage_http::{
    AddressLimits, AdminGate, AdminRoutes, AllowedOrigins, AuditLog, AuditSink, Front, HttpConfig,
    HttpMetrics, Tls,
};
use barrage_moderation::{ModerationMetrics, Moderator};
use barrage_protocol::{RoomId, Sequence};
use barrage_quota::{QuotaMetrics, RedisOnline, RedisQuota};
use barrage_store::{PostgresStore, SqliteStore, Store};
use barrage_token::{Keyring, Role};
use barrage_uplink::{Parts, Uplink, UplinkMetrics};
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::beat::Pace;
use crate::breakers::Breakers;
use crate::config::Config;
use crate::data_dir::{self, MakeKey};
use crate::health::{self, Health};
use crate::keys::KeyWatch;
use crate::page::Page;
use crate::process_metrics::ProcessMetrics;
use crate::readiness::{Checks, Readiness};
use crate::replay::{self, Replay};
use crate::roles::Roles;
use crate::roster::{Stage, Task};
use crate::stop::{self, Stop};
use crate::supervise::Supervisor;
use crate::{audit, build_info, cli, config, ledgers, revocations};

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
    /// With `--demo`: viewers may post gifts that cost something.
    pub(crate) demo: bool,
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
    let Asked { roles, replay, demo, with_stdin } = asked;
    let tls = Tls::load(&config.http)?;
    let lock = data_dir::open(&config.data_dir)?;
    let public = if roles.is_public() { listen(&config.listen)? } else { Vec::new() };
    let admin = listen(&[config.admin_listen])?;
    let addresses = local_addresses(&public)?;
    let admin_address = local_addresses(&admin)?[0];
    config.uplink.gift_role_min.get_or_insert(gift_role_min(&addresses, demo));
    if !roles.entry {
        name_urls(&mut config, &addresses)?;
    }
    log_start(roles, &config, &addresses, admin_address);
    if let Some(nats) = config.nats.as_mut().filter(|_| roles == Roles::GATEWAY) {
        nats.gather_us_max.get_or_insert(GATHER_US_MAX);
    }
    if let Some(nats) = &mut config.nats {
        // The last one opens from another machine, where there are several.
        let host = config::reachable(admin_address).pop();
        nats.admin_url = nats.admin_url.take().or_else(|| host.map(|host| format!("http://{host}")));
    }
    let store = match roles.needs_store() {
        true => Some(store(&config).await.context("the store cannot be opened")?),
        false => None,
    };
    let archived = match &store {
        Some(store) if config.nats.is_none() => {
            store.archived_up_to(0).await.context("the store cannot be read")?
        }
        _ => Sequence::ZERO,
    };
    let ground = Box::pin(ground(config, roles, archived)).await?;
    if roles.uplink {
        make_room(&ground.bus, DEMO_ROOM.parse().expect("a valid id")).await?;
        if let Some(replay) = &replay {
            make_room(&ground.bus, replay.room.clone()).await?;
        }
    }
    let Ground { config, stop, .. } = &ground;
    let mut tasks = Supervisor::new(stop.clone());
    let following = revocations::follow(&ground.bus, Arc::clone(&ground.keyring));
    tasks.spawn(Task::new("revocations", Stage::Background), Pace::Waits, following);
    if let Some(store) = store.as_ref().filter(|_| roles.archiver) {
        archiver(&ground, store, &mut tasks)?;
    }
    let counting = match roles.needs_quota() {
        true => Some(quota(&ground, &mut tasks)?),
        false => None,
    };
    let (mut public_router, mut greeter) = (Router::new(), None);
    let readiness = Readiness::new();
    let checking = readiness.clone().run(checks(&ground, store.clone()), stop.admin.clone());
    tasks.spawn(Task::new("readiness", Stage::Admin), Pace::Ticks, async move {
        checking.await;
        Ok(())
    });
    let health = Health {
        roles,
        bus: Arc::clone(&ground.bus),
        readiness,
        registry: ground.registry.clone(),
        front: stop.front.clone(),
        tasks: tasks.watch(),
        beat_max: Duration::from_secs(config.health.beat_secs_max),
    };
    let mut admin_routes = health::admin_router(health.clone());
    let mut audit: Arc<dyn AuditSink> = Arc::new(AuditLog);
    let keys = KeyWatch::new(Arc::clone(&ground.keyring), config).run(stop.front.clone());
    tasks.spawn(Task::new("token keys", Stage::Front), Pace::Waits, async move {
        keys.await;
        Ok(())
    });
    if !roles.needs_store()
        && let Some((queue, writing)) = audit::without_store(&ground.config, &ground.registry, &stop.front)?
    {
        audit = queue;
        tasks.spawn(Task::new("audit log", Stage::Front), Pace::Waits, writing);
    }
    if roles.gateway {
        let gateway = gateway(&ground)?;
        public_router = public_router.merge(gateway.router());
        greeter = Some(gateway.greeter());
        admin_routes = admin_routes.merge(gateway.admin_router());
        let beats = gateway.beats();
        tasks.watch().roster().parts_of("gateway", move || {
            beats.ages().into_iter().map(|beat| (beat.part, beat.age)).collect()
        });
        tasks.spawn(Task::new("gateway", Stage::Front), Pace::Ticks, async move { Ok(gateway.run().await?) });
    }
    if let (Some(counting), Some(store), true) = (&counting, &store, roles.uplink) {
        let uplink = uplink(&ground, counting, store, &mut tasks)?;
        public_router = public_router.merge(barrage_uplink::router(&uplink));
        admin_routes = admin_routes.merge(barrage_uplink::admin_router(&uplink));
        audit = Arc::clone(&uplink) as Arc<dyn AuditSink>;
        if let Some(replay) = replay {
            let (uplink, shutdown) = (Arc::clone(&uplink), stop.front.clone());
            tasks.spawn(Task::new("replay", Stage::Front).may_end(), Pace::Waits, async move {
                replay::run(replay, uplink, shutdown).await;
                Ok(())
            });
        }
        let shutdown = stop.front.clone();
        tasks.spawn(Task::new("uplink", Stage::Front), Pace::Ticks, async move {
            uplink.run(shutdown).await;
            Ok(())
        });
    }
    if let (Some(counting), true) = (&counting, roles.entry) {
        let (routes, of_entry) = entry(&ground, counting, &addresses, &mut tasks)?;
        public_router = public_router.merge(routes);
        admin_routes = admin_routes.merge(of_entry);
        ledgers::follow(Arc::clone(&ground.bus), &ground.registry, &mut tasks)?;
    }
    let page = Page::new(&config.http.frame_ancestors);
    let public_router = public_router
        .fallback(move |method, uri| page.clone().serve(method, uri))
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .layer(ground.origins.layer());
    let gate = AdminGate::new(Arc::clone(&ground.keyring), audit, &ground.registry)?;
    let admin_router = health::router(health)
        .merge(gate.guard(admin_routes))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed);
    let http_metrics = HttpMetrics::new(&ground.registry)?;
    if roles.is_public() {
        let (http, shutdown) = (config.http.clone(), stop.front.clone());
        let before = Front {
            greeter,
            tls,
            metrics: Some(http_metrics.clone()),
            limits: Some(Arc::new(AddressLimits::new(&config.http)?)),
            origins: Some(ground.origins.clone()),
        };
        tasks.spawn(Task::new("public listeners", Stage::Front), Pace::Waits, async move {
            Ok(barrage_http::serve_public(public, public_router, before, http, shutdown).await?)
        });
    }
    // Health and metrics answer until the end.
    let before = Front { metrics: Some(http_metrics), ..Front::default() };
    let (http, shutdown) = (config.http.clone(), stop.admin.clone());
    tasks.spawn(Task::new("admin listener", Stage::Admin), Pace::Waits, async move {
        Ok(barrage_http::serve_public(admin, admin_router, before, http, shutdown).await?)
    });
    announce(roles, with_stdin, &addresses, admin_address, config)?;

    let ended = tasks.run(stop::asked(with_stdin)).await;
    if let Some(store) = store {
        store.close().await;
    }
    drop(lock);
    ended
}

/// One line by which the log of a process is told from those of others.
fn log_start(roles: Roles, config: &Config, addresses: &[SocketAddr], admin: SocketAddr) {
    let names = |which: fn(&(&'static str, &str)) -> String| {
        build_info::instances(roles, config).iter().map(which).collect::<Vec<_>>().join(",")
    };
    let listen = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
    tracing::info!(
        version = build_info::VERSION,
        revision = build_info::REVISION,
        role = names(|(role, _)| (*role).to_owned()),
        id = names(|(_, id)| (*id).to_owned()),
        listen,
        %admin,
        config = %config.file.as_ref().map_or_else(|| "none".into(), |file| file.display().to_string()),
        "barrage starts"
    );
}

/// `archived` is where the store beside an embedded message log ends.
async fn ground(config: Config, roles: Roles, archived: Sequence) -> anyhow::Result<Ground> {
    let make = if roles == Roles::ALL { MakeKey::IfAbsent } else { MakeKey::Never };
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, make)?);
    let registry = Registry::new();
    registry.register(Box::new(ProcessMetrics::new()?))?;
    build_info::register(roles, &config, &registry)?;
    let metrics = BusMetrics::new(&registry)?;
    let bus: Arc<dyn Bus> = match &config.nats {
        Some(nats) => NatsBus::connect(nats.clone(), config.bus.clone(), metrics).await.context("nats")?,
        None => {
            let path = EmbeddedBus::file(&config.data_dir);
            EmbeddedBus::open_after(&path, config.bus.clone(), metrics, archived)
                .context("the message log cannot be opened")?
        }
    };
    Ok(Ground {
        ledger: Ledger::new(&registry)?,
        breakers: BreakerMetrics::new(&registry)?,
        origins: origins(&config),
        stop: Stop::default(),
        config,
        registry,
        keyring,
        bus,
    })
}

/// A server that nobody reaches but over loopback has no name that a site could take.
fn origins(config: &Config) -> AllowedOrigins {
    let is_local = config.listen.iter().all(|address| address.ip().is_loopback());
    let is_local = is_local && config.http.trusted_proxies.is_empty();
    AllowedOrigins::new(&config.http.allowed_origins).with_hosts(&config.http.hosts, is_local)
}

/// What `/readyz` depends on.
fn checks(ground: &Ground, store: Option<Arc<dyn Store>>) -> Checks {
    let config = &ground.config;
    let mut folders = Vec::new();
    if config.nats.is_none() {
        folders.push(config.data_dir.clone());
    }
    if store.is_some() && config.postgres.is_none() {
        folders.extend(store_file(config).parent().map(|folder| match folder.as_os_str().is_empty() {
            true => ".".into(),
            false => folder.to_owned(),
        }));
    }
    folders.dedup();
    Checks { bus: Arc::clone(&ground.bus), store, store_is_shared: config.postgres.is_some(), folders }
}

fn store_file(config: &Config) -> PathBuf {
    config.store.file.clone().unwrap_or_else(|| config.data_dir.join("store.sqlite"))
}

pub(crate) async fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match &config.postgres {
        Some(postgres) => Arc::new(PostgresStore::open(postgres).await?),
        None => {
            if let Some(file) = &config.store.file {
                data_dir::warn_if_others_read(file);
            }
            Arc::new(SqliteStore::open(&store_file(config), &config.store).await?)
        }
    })
}

fn archiver(ground: &Ground, store: &Arc<dyn Store>, tasks: &mut Supervisor) -> anyhow::Result<()> {
    let archiving = barrage_archiver::run(
        Arc::clone(&ground.bus),
        Arc::clone(store),
        ground.config.archiver.clone(),
        ArchiverMetrics::new(&ground.registry)?,
        ground.stop.archiver.clone(),
    );
    tasks.spawn(Task::new("archiver", Stage::Archiver), Pace::Waits, async move {
        let report = archiving.await?;
        tracing::info!(archived = report.archived, positions = ?report.positions, "stopped");
        Ok(())
    });
    Ok(())
}

/// Where limits are counted, and the breaker before it if that is elsewhere.
struct Counting {
    quota: Arc<dyn Quota>,
    redis: Option<Arc<Guarded>>,
}

fn quota(ground: &Ground, tasks: &mut Supervisor) -> anyhow::Result<Counting> {
    let registry = &ground.registry;
    let Some(redis) = &ground.config.redis else {
        let quota = Arc::new(LocalQuota::new(&ground.config.quota, FlowMetrics::new(registry)?));
        return Ok(Counting { quota, redis: None });
    };
    let metrics = QuotaMetrics::new(registry)?;
    let quota = RedisQuota::new(redis, instances(Arc::clone(&ground.bus), tasks), metrics, &ground.breakers);
    let quota = quota.context("redis")?;
    let breaker = quota.breaker();
    Ok(Counting { quota: Arc::new(quota), redis: Some(breaker) })
}

/// How many uplinks share each limit, for the time that Redis is away.
fn instances(bus: Arc<dyn Bus>, tasks: &mut Supervisor) -> watch::Receiver<usize> {
    let (tell, told) = watch::channel(1);
    tasks.spawn(Task::new("count of uplinks", Stage::Background), Pace::Ticks, async move {
        let mut tick = tokio::time::interval(COUNT_EVERY);
        loop {
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

fn uplink(
    ground: &Ground,
    counting: &Counting,
    store: &Arc<dyn Store>,
    tasks: &mut Supervisor,
) -> anyhow::Result<Arc<Uplink>> {
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
    let breakers = Breakers { redis: counting.redis.clone(), moderator };
    let following = breakers.follow(Arc::clone(&ground.bus));
    tasks.spawn(Task::new("breakers", Stage::Background), Pace::Waits, async move {
        following.await;
        Ok(())
    });
    Uplink::new(parts, config.uplink.clone(), UplinkMetrics::new(&ground.registry)?).context("uplink.limits")
}

/// Entry's routes with those for guests of the page, and its admin side. Starts its reports to the
/// registry.
fn entry(
    ground: &Ground,
    counting: &Counting,
    addresses: &[SocketAddr],
    tasks: &mut Supervisor,
) -> anyhow::Result<(Router, AdminRoutes)> {
    let config = &ground.config;
    let ports = addresses.iter().map(SocketAddr::port).collect();
    let local = LocalEndpoints { is_tls: config.http.tls_cert_file.is_some(), ports };
    let (bus, quota) = (Arc::clone(&ground.bus), Arc::clone(&counting.quota));
    let keyring = Arc::clone(&ground.keyring);
    let entry = Entry::new(bus, quota, local, config.entry.clone(), &ground.registry, keyring)?;
    let is_local = || addresses.iter().all(|address| address.ip().is_loopback());
    let is_open = config.token.guests.unwrap_or_else(is_local);
    let guests = barrage_uplink::guest_router(Arc::clone(&ground.keyring), &config.uplink, is_open);
    let reports = barrage_entry::run(Arc::clone(&entry), ground.stop.front.clone());
    tasks.spawn(Task::new("entry", Stage::Front), Pace::Ticks, async move {
        reports.await;
        Ok(())
    });
    let admin_routes = barrage_entry::admin_router(Arc::clone(&entry));
    Ok((barrage_entry::router(entry).merge(guests), admin_routes))
}

/// The role that gifts with a price need unless one is configured: on loopback and in the demo
/// nobody pays.
fn gift_role_min(public: &[SocketAddr], demo: bool) -> Role {
    let is_local = public.iter().all(|address| address.ip().is_loopback());
    if demo || is_local { Role::Viewer } else { Role::Admin }
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
    let ensure = RoomPatch::Ensure { title: id.to_string() };
    bus.change(Change::Patch(id, ensure)).await.context("the room cannot be made")?;
    Ok(())
}

/// Prints where the process is. A parent process (`up --cluster`) reads the addresses as they
/// are; a person gets those that open.
fn announce(
    roles: Roles,
    for_parent: bool,
    addresses: &[SocketAddr],
    admin: SocketAddr,
    config: &Config,
) -> anyhow::Result<()> {
    cli::say("Barrage is up.")?;
    for address in addresses {
        let hosts = if for_parent { vec![address.to_string()] } else { config::reachable(*address) };
        for host in hosts {
            cli::say(format!("  {:<7} {}://{host}/", roles.label(), scheme(&config.http)))?;
        }
    }
    cli::say(format!("  admin   http://{admin}/  (/metrics, /healthz, /readyz, /v1/admin)"))?;
    if let Some(file) = &config.file {
        cli::say(format!("  config  {}", file.display()))?;
    }
    cli::say(format!("  data    {}", config.data_dir.display()))?;
    cli::say("  stop    Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gifts_with_a_price_need_the_role_admin_unless_on_loopback_or_in_the_demo() {
        let local: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let public: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        assert_eq!(gift_role_min(&[local], false), Role::Viewer);
        assert_eq!(gift_role_min(&[local, public], false), Role::Admin);
        assert_eq!(gift_role_min(&[public], true), Role::Viewer);
    }
}
