//! One server process: starts the parts of its roles and runs them until a stop is requested.

mod announce;
mod audit;
mod breakers;
mod build_info;
mod conntrack;
mod context;
mod courier;
mod fleet_ledger;
mod inbox;
pub(crate) mod irc;
mod listeners;
mod media;
mod memory_limit;
mod page;
pub(crate) mod probe;
mod process_metrics;
mod push;
mod revocations;
mod services;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use barrage_bus::{Bus, Change, RoomPatch};
use barrage_exposition::Exposition;
use barrage_http::{AddressLimits, AdminGate, Front, HttpMetrics, Tls};
use barrage_protocol::RoomId;

use self::context::ProcessContext;
pub(crate) use self::context::open_store;
use self::irc::IrcListeners;
use self::listeners::Listeners;
use self::media::MediaListeners;
use self::page::Page;
use self::services::Services;
use crate::api::{self, Listener};
use crate::config::Config;
use crate::data_dir;
use crate::health::{self, Checks, HealthContext, Readiness};
use crate::key_watch::KeyWatch;
use crate::operator::{self, OperatorParts};
use crate::ready::ReadyFd;
use crate::replay::Replay;
use crate::roles::Roles;
use crate::supervise::{self, Stage, Supervisor, Task, Wakeup};

/// Room that each uplink creates at its start if it is absent.
const DEMO_ROOM: &str = "demo";

/// Arguments of a start that are not configuration.
pub(crate) struct StartOptions {
    pub(crate) roles: Roles,
    pub(crate) replay: Option<Replay>,
    /// Whether viewers may post gifts with a price (`--demo`).
    pub(crate) demo: bool,
    /// Whether the process stops at the end of its standard input.
    pub(crate) stops_with_stdin: bool,
    pub(crate) ready: Option<ReadyFd>,
}

/// Builds the runtime and runs the process until a stop is requested.
pub(crate) fn main(config: Config, options: StartOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be built")?;
    runtime.block_on(run(config, options))
}

async fn run(mut config: Config, options: StartOptions) -> anyhow::Result<()> {
    let StartOptions { roles, replay, demo, stops_with_stdin, ready } = options;
    let mut tls = Tls::load(&config.http)?;
    if !(roles.uplink || roles.entry) {
        tls = tls.map(Tls::http1_only);
    }
    // A process of one role keeps nothing there, and runs where it may write no file.
    let lock = roles.is_whole().then(|| data_dir::open(&config.data_dir)).transpose()?;
    let listeners = Listeners::bind(roles, &config)?;
    // With one role, IRC has a process of its own: `barrage irc`.
    let irc = (roles.is_whole()).then(|| IrcListeners::bind(&config)).transpose()?;
    let media = roles.media.then(|| MediaListeners::bind(&config)).transpose()?;
    listeners.complete(&mut config, roles, demo)?;
    build_info::log_start(roles, &config, &listeners);
    let mut context = Box::pin(ProcessContext::open(config, roles)).await?;
    if roles.uplink {
        ensure_room(&context.bus, DEMO_ROOM.parse().expect("a valid id")).await?;
        if let Some(replay) = &replay {
            ensure_room(&context.bus, replay.room.clone()).await?;
        }
    }
    let mut tasks = Supervisor::new(context.stop.clone());
    follow_keys(&context, &mut tasks);
    traces::start(&mut context, &mut tasks);
    let health = start_health(&context, &mut tasks);
    let services = Services::start(&context, (&listeners, media.as_ref()), replay, &mut tasks)?;
    let mut announcement = listeners.announcement(roles, &context.config, ready);
    if let Some(irc) = irc {
        announcement.lines.splice(1..1, irc.lines());
        start_irc(irc, &context, &listeners, tls.clone(), &mut tasks)?;
    }
    if let Some(media) = &media {
        announcement.lines.splice(1..1, media.lines(&context.config));
    }
    serve(&context, (listeners, media), services, health, tls, &mut tasks)?;
    // Handlers first: a parent process may send a signal as soon as the process is announced.
    let stop_requested = supervise::requested(stops_with_stdin);
    announcement.publish()?;
    let result = tasks.run(stop_requested).await;
    if let Some(inbox) = context.inbox {
        inbox.store.close().await;
    }
    if let Some(store) = context.store {
        store.close().await;
    }
    drop(lock);
    result
}

/// Starts the IRC gateway, a client of this process unless the configuration names another entry.
fn start_irc(
    irc: IrcListeners,
    context: &ProcessContext,
    listeners: &Listeners,
    tls: Option<Tls>,
    tasks: &mut Supervisor,
) -> anyhow::Result<()> {
    let config = &context.config;
    let own = || crate::config::base_url(listeners.addresses[0], config.http.tls_cert_file.is_some());
    let entry_url = config.irc.entry_url.clone().unwrap_or_else(own);
    irc.serve(
        config,
        entry_url.trim_end_matches('/').to_owned(),
        tls,
        &context.registry,
        &context.stop,
        tasks,
    )
}

/// Creates a room unless the settings on the bus contain it.
async fn ensure_room(bus: &Arc<dyn Bus>, id: RoomId) -> anyhow::Result<()> {
    if bus.settings().borrow().rooms.contains_key(&id) {
        return Ok(());
    }
    let ensure = RoomPatch::Ensure { title: id.to_string() };
    let changed = bus.change(Change::Patch(id.clone(), ensure)).await;
    changed.with_context(|| format!("the room {id} cannot be created"))?;
    Ok(())
}

/// Starts the tasks that keep the keyring equal to the key files and to the list of revoked tokens.
fn follow_keys(context: &ProcessContext, tasks: &mut Supervisor) {
    let following = revocations::follow(&context.bus, Arc::clone(&context.keyring));
    tasks.spawn(Task::new("revocations", Stage::Background), Wakeup::Supervisor, following);
    let watch = KeyWatch::new(Arc::clone(&context.keyring), &context.config).run(context.stop.front.clone());
    tasks.spawn(Task::new("token keys", Stage::Front), Wakeup::Supervisor, async move {
        watch.await;
        Ok(())
    });
}

/// Starts the readiness checks, and returns the state of the health routes.
fn start_health(context: &ProcessContext, tasks: &mut Supervisor) -> HealthContext {
    let readiness = Readiness::new();
    let checks = Checks {
        bus: Arc::clone(&context.bus),
        store: context.store.clone(),
        store_is_shared: context.config.postgres.is_some(),
        folders: context.written_folders(),
    };
    let checking = readiness.clone().run(checks, context.stop.admin.clone());
    tasks.spawn(Task::new("readiness", Stage::Admin), Wakeup::OwnTimer, async move {
        checking.await;
        Ok(())
    });
    HealthContext {
        roles: context.roles,
        bus: Arc::clone(&context.bus),
        readiness,
        exposition: Exposition::new(
            context.registry.clone(),
            context.exemplars.clone(),
            &context.config.metrics,
        ),
        drain: context.stop.front.clone(),
        tasks: tasks.watch(),
        heartbeat_max: Duration::from_secs(context.config.health.beat_secs_max),
    }
}

/// Starts the public and the admin listeners.
fn serve(
    context: &ProcessContext,
    (listeners, media_listeners): (Listeners, Option<MediaListeners>),
    services: Services,
    health: HealthContext,
    tls: Option<Tls>,
    tasks: &mut Supervisor,
) -> anyhow::Result<()> {
    let (config, stop) = (&context.config, &context.stop);
    let gate = AdminGate::new(Arc::clone(&context.keyring), services.audit, &context.registry)?;
    let operator =
        operator::admin_router(operator_parts(context, &listeners, &health), config.http_client()?)?;
    let admin_routes = services.admin_routes.merge(health::admin_router(health.clone())).merge(operator);
    let mut open_routes = health::router(health).merge(api::router(Listener::Admin));
    if let Some(media) = &services.media {
        open_routes = open_routes.merge(media.signed_router());
    }
    let admin_router = with_console(open_routes.merge(gate.guard(admin_routes)));
    let metrics = HttpMetrics::new(&context.registry)?;
    if let Some(tls) = &tls {
        tls.register(&context.registry)?;
    }
    let mut image_origins = config.http.image_origins.clone();
    image_origins.extend(media::image_origins(config, media_listeners.as_ref()));
    if let (Some(media), Some(bound)) = (&services.media, media_listeners) {
        bound.serve(media, context, &listeners.addresses, (tls.clone(), metrics.clone()), tasks)?;
    }
    if context.roles.is_public() {
        let page = Page::new(&config.http.frame_ancestors, &image_origins);
        let router = services
            .public_router
            .merge(api::router(Listener::Public))
            .fallback(move |method, uri| page.clone().serve(method, uri))
            .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
            .layer(context.origins.layer());
        let front = Front {
            greeter: services.greeter,
            direct: services.direct,
            tls,
            metrics: Some(metrics.clone()),
            limits: Some(Arc::new(AddressLimits::new(&config.http)?)),
            origins: Some(context.origins.clone()),
        };
        let (http, shutdown) = (config.http.clone(), stop.front.clone());
        tasks.spawn(Task::new("public listeners", Stage::Front), Wakeup::Supervisor, async move {
            Ok(barrage_http::serve_public(listeners.public, router, front, http, shutdown).await?)
        });
    }
    let front = Front { metrics: Some(metrics), ..Front::default() };
    let (http, shutdown) = (config.http.clone(), stop.admin.clone());
    tasks.spawn(Task::new("admin listener", Stage::Admin), Wakeup::Supervisor, async move {
        Ok(barrage_http::serve_public(listeners.admin, admin_router, front, http, shutdown).await?)
    });
    Ok(())
}

fn operator_parts(context: &ProcessContext, listeners: &Listeners, health: &HealthContext) -> OperatorParts {
    let own_host = crate::config::reachable(listeners.admin_address).remove(0);
    OperatorParts {
        bus: Arc::clone(&context.bus),
        registry: context.registry.clone(),
        readiness: health.readiness.clone(),
        own_url: format!("http://{own_host}"),
        version: build_info::VERSION,
        revision: build_info::REVISION,
        stop: context.stop.front.clone(),
    }
}

/// Adds the console's page, which answers paths that are no route.
fn with_console(router: Router) -> Router {
    router.fallback(operator::serve_page).method_not_allowed_fallback(barrage_http::error::method_not_allowed)
}
