//! `barrage probe --serve`: a process that examines all gateways, and has an admin listener alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use barrage_client::HttpPool;
use barrage_exposition::{Exemplars, Exposition};
use barrage_http::{ApiError, Front, HttpMetrics};
use barrage_probe::{Failure, ProbeMetrics, Prober, Site, SiteConfig, Times, TokenSource};
use barrage_protocol::Code;
use barrage_tls::ClientTls;
use prometheus::{Gauge, GaugeVec, Opts, Registry, TextEncoder};
use serde::Deserialize;

use super::announce::Announcement;
use super::process_metrics::ProcessMetrics;
use crate::config::{Config, base_url};
use crate::data_dir::{self, MakeKey};
use crate::health;
use crate::key_watch::KeyWatch;
use crate::ready::{ReadyFd, ReadyLine};
use crate::supervise::{self, Stage, Stop, Supervisor, Task, Wakeup, Watch};

/// How the process is started and stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeOptions {
    /// Descriptor for the ready line.
    pub(crate) ready: Option<ReadyFd>,
    /// Whether the end of standard input stops the process.
    pub(crate) stops_with_stdin: bool,
}

/// Builds the runtime and examines all gateways until a stop is requested.
pub(crate) fn main(config: Config, options: ProbeOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be built")?;
    runtime.block_on(run(config, options))
}

async fn run(config: Config, options: ProbeOptions) -> anyhow::Result<()> {
    let (stop, registry) = (Stop::default(), Registry::new());
    registry.register(Box::new(ProcessMetrics::new()?))?;
    let listener = barrage_http::listen(config.admin_listen)
        .with_context(|| format!("{} cannot be listened on (--admin-listen)", config.admin_listen))?;
    let admin = listener.local_addr()?;
    let mut tasks = Supervisor::new(stop.clone());
    let own = own_tokens(&config, &stop, &mut tasks)?;
    let sites = sites(&config, &own)?;
    let entry_url = sites[0].entry_url.clone();
    let prober = Prober::new(config.probe.clone(), sites, ProbeMetrics::new(&registry)?);
    let examining = barrage_probe::run(Arc::clone(&prober), stop.front.clone());
    tasks.spawn(Task::new("probe", Stage::Front), Wakeup::OwnTimer, async move {
        examining.await;
        Ok(())
    });
    let context = ProbeContext {
        prober,
        exposition: Exposition::new(registry.clone(), Exemplars::default(), &config.metrics),
        tasks: tasks.watch(),
        heartbeat_max: Duration::from_secs(config.health.beat_secs_max),
    };
    let front = Front { metrics: Some(HttpMetrics::new(&registry)?), ..Front::default() };
    let (http, shutdown) = (config.http.clone(), stop.admin.clone());
    tasks.spawn(Task::new("admin listener", Stage::Admin), Wakeup::Supervisor, async move {
        Ok(barrage_http::serve_public(vec![listener], router(context), front, http, shutdown).await?)
    });
    let announcement = Announcement {
        lines: vec![
            format!("The probe examines {entry_url}."),
            format!("  admin   http://{admin}/  (/metrics, /healthz, /probe?target=GATEWAY)"),
            "  stop    Ctrl-C".into(),
        ],
        ready: options.ready,
        line: ReadyLine { public: Vec::new(), admin, members: Vec::new() },
    };
    // Handlers first: a parent process may send a signal as soon as the process is announced.
    let stop_requested = supervise::requested(options.stops_with_stdin);
    announcement.publish()?;
    tasks.run(stop_requested).await
}

/// Returns the source of tokens for the own site, and follows renewed key files.
fn own_tokens(config: &Config, stop: &Stop, tasks: &mut Supervisor) -> anyhow::Result<TokenSource> {
    if let Some(file) = &config.probe.token_file {
        return Ok(TokenSource::File(file.clone()));
    }
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?);
    if !keyring.can_sign() {
        bail!(
            "no configured key can sign the probe's tokens; name a token of the role probe in probe.token_file"
        );
    }
    let watch = KeyWatch::new(Arc::clone(&keyring), config).run(stop.front.clone());
    tasks.spawn(Task::new("token keys", Stage::Front), Wakeup::Supervisor, async move {
        watch.await;
        Ok(())
    });
    Ok(TokenSource::Keyring(keyring))
}

/// Returns the own site and the further ones.
fn sites(config: &Config, own: &TokenSource) -> anyhow::Result<Vec<Site>> {
    let url = match &config.probe.entry_url {
        Some(url) => url.clone(),
        None => own_entry_url(config).context("there is no public address; set probe.entry_url")?,
    };
    let pool = HttpPool::with_tls(&config.client_tls()?);
    let mut sites = vec![Site {
        name: config.probe.site.clone(),
        entry_url: url.trim_end_matches('/').to_owned(),
        tokens: own.clone(),
        pool: pool.clone(),
    }];
    for SiteConfig { name, entry_url, token_file, ca_file } in &config.probe.sites {
        let pool = match ca_file {
            Some(file) => HttpPool::with_tls(
                &ClientTls::load(Some(file)).with_context(|| format!("probe.sites, {name}"))?,
            ),
            None => pool.clone(),
        };
        sites.push(Site {
            name: name.clone(),
            entry_url: entry_url.trim_end_matches('/').to_owned(),
            tokens: token_file.clone().map_or_else(|| own.clone(), TokenSource::File),
            pool,
        });
    }
    Ok(sites)
}

/// Returns the URL of the first public address.
pub(crate) fn own_entry_url(config: &Config) -> Option<String> {
    let address = config.listen.first()?;
    Some(base_url(*address, config.http.tls_cert_file.is_some()))
}

/// State of the admin listener's handlers.
#[derive(Clone)]
struct ProbeContext {
    prober: Arc<Prober>,
    exposition: Exposition,
    tasks: Watch,
    heartbeat_max: Duration,
}

fn router(context: ProbeContext) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(async || "ready\n"))
        .route("/metrics", get(metrics))
        .route("/probe", get(probe))
        .fallback(barrage_http::error::not_found)
        .method_not_allowed_fallback(barrage_http::error::method_not_allowed)
        .with_state(context)
}

async fn healthz(State(context): State<ProbeContext>) -> impl IntoResponse {
    health::vitals(&context.tasks, context.heartbeat_max)
}

async fn metrics(State(context): State<ProbeContext>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
    let (content_type, body) = context.exposition.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], body)
}

#[derive(Deserialize)]
struct ProbeQuery {
    target: String,
}

/// Examines one gateway, and answers in the manner of blackbox_exporter, for the multi-target pattern.
async fn probe(
    State(context): State<ProbeContext>,
    Query(query): Query<ProbeQuery>,
) -> Result<String, ApiError> {
    let examined = context.prober.examine(&query.target).await;
    let (times, result) = examined.map_err(|error| ApiError::new(Code::NotFound, error.to_string()))?;
    answer(&times, &result).map_err(|error| ApiError::new(Code::Internal, error.to_string()))
}

fn answer(times: &Times, result: &Result<(), Failure>) -> prometheus::Result<String> {
    let registry = Registry::new();
    let success = Gauge::new("probe_success", "1 when the gateway delivered the message in time.")?;
    let total = Gauge::new("probe_duration_seconds", "Time of all phases that were reached.")?;
    let phases = GaugeVec::new(
        Opts::new("probe_phase_duration_seconds", "Time of each phase that was reached."),
        &["phase"],
    )?;
    let reached =
        [("connect", times.connect), ("join", times.join), ("post", times.post), ("deliver", times.deliver)];
    for (phase, time) in reached {
        if let Some(time) = time {
            phases.with_label_values(&[phase]).set(time.as_secs_f64());
            total.set(total.get() + time.as_secs_f64());
        }
    }
    success.set(if result.is_ok() { 1.0 } else { 0.0 });
    registry.register(Box::new(success))?;
    registry.register(Box::new(total))?;
    registry.register(Box::new(phases))?;
    TextEncoder::new().encode_to_string(&registry.gather())
}
