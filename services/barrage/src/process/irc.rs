//! The IRC gateway: a part of `barrage up` while it has an address, and the process `barrage irc`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use barrage_client::HttpPool;
use barrage_exposition::{Exemplars, Exposition};
use barrage_http::{Front, HttpMetrics, Tls};
use barrage_irc::{IrcMetrics, IrcParts};
use prometheus::Registry;
use tokio::net::TcpListener;

use super::announce::Announcement;
use super::probe::own_entry_url;
use super::process_metrics::ProcessMetrics;
use crate::cli::RoleArguments;
use crate::config::Config;
use crate::health;
use crate::ready::ReadyLine;
use crate::supervise::{self, Stage, Stop, Supervisor, Task, Wakeup, Watch};

/// Bound listeners of the gateway.
pub(super) struct IrcListeners {
    plain: Vec<TcpListener>,
    encrypted: Vec<TcpListener>,
}

impl IrcListeners {
    /// Binds the addresses of `[irc]`; there may be none.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = |address: &SocketAddr| {
            barrage_http::listen(*address)
                .with_context(|| format!("{address} cannot be listened on (irc.listen, irc.tls_listen)"))
        };
        Ok(IrcListeners {
            plain: config.irc.listen.iter().map(bind).collect::<anyhow::Result<_>>()?,
            encrypted: config.irc.tls_listen.iter().map(bind).collect::<anyhow::Result<_>>()?,
        })
    }

    /// Lines of the report that the process is up.
    pub(super) fn lines(&self) -> Vec<String> {
        let addresses = |listeners: &[TcpListener], note: &str| {
            let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok());
            addresses.map(|address| format!("  irc     {address}{note}")).collect::<Vec<_>>()
        };
        [addresses(&self.plain, ""), addresses(&self.encrypted, " (TLS)")].concat()
    }

    /// Starts the gateway, if it has an address.
    pub(super) fn serve(
        self,
        config: &Config,
        entry_url: String,
        tls: Option<Tls>,
        registry: &Registry,
        stop: &Stop,
        tasks: &mut Supervisor,
    ) -> anyhow::Result<()> {
        if !config.irc.is_on() {
            return Ok(());
        }
        let encrypted = match (tls, self.encrypted.is_empty()) {
            (Some(tls), false) => Some((tls.http1_only(), self.encrypted)),
            (None, false) => bail!("irc.tls_listen needs http.tls_cert_file and http.tls_key_file"),
            (_, true) => None,
        };
        let parts = IrcParts {
            config: config.irc.clone(),
            entry_url,
            pool: HttpPool::with_tls(&config.client_tls()?),
            metrics: IrcMetrics::new(registry)?,
            plain: self.plain,
            encrypted,
        };
        let serving = barrage_irc::run(parts, stop.front.clone());
        tasks.spawn(Task::new("irc", Stage::Front), Wakeup::Supervisor, async move {
            serving.await;
            Ok(())
        });
        Ok(())
    }
}

/// Builds the runtime and serves IRC until a stop is requested.
pub(crate) fn main(config: Config, arguments: &RoleArguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be built")?;
    runtime.block_on(run(config, arguments))
}

async fn run(config: Config, arguments: &RoleArguments) -> anyhow::Result<()> {
    if !config.irc.is_on() {
        bail!("the IRC gateway has no address: set irc.listen or irc.tls_listen");
    }
    let (stop, registry) = (Stop::default(), Registry::new());
    registry.register(Box::new(ProcessMetrics::new()?))?;
    let admin = barrage_http::listen(config.admin_listen)
        .with_context(|| format!("{} cannot be listened on (--admin-listen)", config.admin_listen))?;
    let admin_address = admin.local_addr()?;
    let entry_url = match &config.irc.entry_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => own_entry_url(&config).context("there is no public address; set irc.entry_url")?,
    };
    let mut tasks = Supervisor::new(stop.clone());
    let tls = Tls::load(&config.http)?;
    if let Some(tls) = &tls {
        tls.register(&registry)?;
        let renewing = tls.clone().renew(stop.front.clone());
        tasks.spawn(Task::new("certificate", Stage::Front), Wakeup::Supervisor, async move {
            renewing.await;
            Ok(())
        });
    }
    let listeners = IrcListeners::bind(&config)?;
    let mut lines = vec![format!("The IRC gateway is a client of {entry_url}.")];
    lines.extend(listeners.lines());
    lines.push(format!("  admin   http://{admin_address}/  (/metrics, /healthz, /readyz)"));
    lines.push("  stop    Ctrl-C".into());
    listeners.serve(&config, entry_url, tls, &registry, &stop, &mut tasks)?;
    let context = IrcContext {
        exposition: Exposition::new(registry.clone(), Exemplars::default(), &config.metrics),
        tasks: tasks.watch(),
        heartbeat_max: Duration::from_secs(config.health.beat_secs_max),
    };
    let front = Front { metrics: Some(HttpMetrics::new(&registry)?), ..Front::default() };
    let (http, shutdown) = (config.http.clone(), stop.admin.clone());
    tasks.spawn(Task::new("admin listener", Stage::Admin), Wakeup::Supervisor, async move {
        Ok(barrage_http::serve_public(vec![admin], router(context), front, http, shutdown).await?)
    });
    let line = ReadyLine { public: Vec::new(), admin: admin_address, members: Vec::new() };
    let announcement = Announcement { lines, ready: arguments.listen.ready_fd(), line };
    // Handlers first: a parent process may send a signal as soon as the process is announced.
    let stop_requested = supervise::requested(arguments.with_stdin);
    announcement.publish()?;
    tasks.run(stop_requested).await
}

/// State of the admin listener's handlers.
#[derive(Clone)]
struct IrcContext {
    exposition: Exposition,
    tasks: Watch,
    heartbeat_max: Duration,
}

fn router(context: IrcContext) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(async || "ready\n"))
        .route("/metrics", get(metrics))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .with_state(context)
}

async fn healthz(State(context): State<IrcContext>) -> impl IntoResponse {
    health::vitals(&context.tasks, context.heartbeat_max)
}

async fn metrics(State(context): State<IrcContext>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
    let (content_type, body) = context.exposition.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], body)
}
