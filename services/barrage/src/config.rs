//! All of the configuration: defaults, then the TOML file, then `BARRAGE_*`, then
//! flags. Unknown keys are errors.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::autoscale::AutoscaleConfig;
use crate::cli::{Cli, say};

/// Variables with our prefix that are not settings.
const NOT_SETTINGS: [&str; 1] = ["config"];

/// The whole configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Public addresses. Default 127.0.0.1:8080.
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the admin API, metrics and health; never a public one.
    /// Default 127.0.0.1:8081.
    pub(crate) admin_listen: SocketAddr,
    /// Where data is kept. Default `barrage-data`.
    pub(crate) data_dir: PathBuf,
    pub(crate) log: LogConfig,
    pub(crate) health: HealthConfig,
    pub(crate) http: barrage_http::HttpConfig,
    pub(crate) token: barrage_token::TokenConfig,
    pub(crate) bus: barrage_bus::BusConfig,
    /// Messages, settings and the registry are on NATS JetStream. Default: absent, they
    /// are in this process and its data directory.
    pub(crate) nats: Option<barrage_bus::NatsConfig>,
    pub(crate) store: barrage_store::SqliteConfig,
    /// The store is in PostgreSQL. Default: absent, it is a SQLite file in the data
    /// directory.
    pub(crate) postgres: Option<barrage_store::PostgresConfig>,
    pub(crate) archiver: barrage_archiver::ArchiverConfig,
    pub(crate) quota: barrage_flow::LocalQuotaConfig,
    /// Limits are counted in Redis, for all instances together. Default: absent, each
    /// process counts for itself.
    pub(crate) redis: Option<barrage_quota::RedisQuotaConfig>,
    pub(crate) gateway: barrage_gateway::GatewayConfig,
    pub(crate) uplink: barrage_uplink::UplinkConfig,
    pub(crate) moderation: barrage_moderation::ModerationConfig,
    pub(crate) entry: barrage_entry::EntryConfig,
    pub(crate) autoscale: AutoscaleConfig,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    /// `text` for a terminal, `json` for a collector. Default text.
    pub(crate) format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`. Default `info`.
    pub(crate) filter: String,
}

/// `[health]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthConfig {
    /// `/healthz` answers 503 when a task has not beaten for this long. Default 10: every task
    /// beats once a second, and a loaded machine delays a beat by a few seconds.
    pub(crate) beat_secs_max: u64,
}

impl Default for HealthConfig {
    fn default() -> Self {
        HealthConfig { beat_secs_max: 10 }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { format: LogFormat::Text, filter: "info".into() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            data_dir: "barrage-data".into(),
            log: LogConfig::default(),
            health: HealthConfig::default(),
            http: Default::default(),
            token: Default::default(),
            bus: Default::default(),
            nats: None,
            store: Default::default(),
            postgres: None,
            archiver: Default::default(),
            quota: Default::default(),
            redis: None,
            gateway: Default::default(),
            uplink: Default::default(),
            moderation: Default::default(),
            entry: Default::default(),
            autoscale: Default::default(),
        }
    }
}

/// Merges all layers and checks the result.
pub(crate) fn load(cli: &Cli) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(path) = &cli.config {
        if !path.is_file() {
            bail!("the configuration file {} is not there", path.display());
        }
        figment = figment.merge(Toml::file(path));
    }
    figment = figment.merge(Env::prefixed("BARRAGE_").ignore(&NOT_SETTINGS).split("__"));
    let mut config: Config = figment.extract().map_err(|errors| {
        let lines: Vec<_> = errors.into_iter().map(|error| format!("\n  {error}")).collect();
        anyhow::anyhow!("the configuration is not valid:{}", lines.concat())
    })?;
    if let Some(data_dir) = &cli.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    if let Some(listeners) = cli.command.listeners() {
        if !listeners.listen.is_empty() {
            config.listen.clone_from(&listeners.listen);
        }
        config.admin_listen = listeners.admin_listen.unwrap_or(config.admin_listen);
    }
    check(&config)?;
    Ok(config)
}

/// Says everything that is wrong, not only the first.
fn check(config: &Config) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let mut range = |key: &str, value: u64, min: u64, max: u64| {
        if !(min..=max).contains(&value) {
            wrong.push(format!("\n  {key} = {value}: must be {min} to {max}"));
        }
    };
    range("listen (number of addresses)", config.listen.len() as u64, 1, 16);
    range("http.header_secs", config.http.header_secs, 1, 60);
    range("http.idle_secs", config.http.idle_secs, 1, 3_600);
    range("http.header_bytes_max", config.http.header_bytes_max as u64, 8_192, 1 << 20);
    range("http.connections_max", config.http.connections_max as u64, 1, 1_000_000);
    range("token.leeway_secs", config.token.leeway_secs, 0, 60);
    range("bus.queue_max", config.bus.queue_max as u64, 1, 1 << 20);
    range("bus.subscriber_lag_max", config.bus.subscriber_lag_max as u64, 16, 1 << 20);
    range("bus.dedup_secs", config.bus.dedup_secs, 1, 86_400);
    let gather_us_max = config.nats.as_ref().and_then(|nats| nats.gather_us_max).unwrap_or_default();
    range("nats.gather_us_max", gather_us_max, 0, 100_000);
    range("gateway.shards", config.gateway.shards as u64, 0, 1_024);
    range("gateway.window_ms", config.gateway.window_ms, 1, 5_000);
    range("gateway.window_ms_max", config.gateway.window_ms_max, 1, 5_000);
    range("gateway.joins_per_s", u64::from(config.gateway.joins_per_s), 1, 1_000_000);
    range("gateway.joins_wait_ms_max", u64::from(config.gateway.joins_wait_ms_max), 0, 60_000);
    range("gateway.egress_bytes_per_s", config.gateway.egress_bytes_per_s, 10_000, 1 << 40);
    range("gateway.behind_secs_max", config.gateway.behind_secs_max, 1, 3_600);
    range("gateway.batch_messages_max", config.gateway.batch_messages_max as u64, 1, 10_000);
    range("gateway.wave_viewers_max", config.gateway.wave_viewers_max as u64, 1, 1_000_000);
    range("gateway.pulse_ms", config.gateway.pulse_ms, 100, 60_000);
    range("gateway.ping_interval_ms", config.gateway.ping_interval_ms, 1_000, 600_000);
    range("gateway.deflate_effort", u64::from(config.gateway.deflate_effort), 1, 9);
    range("gateway.queue_soft_bytes", config.gateway.queue_soft_bytes as u64, 4_096, 1 << 26);
    let soft = config.gateway.queue_soft_bytes as u64;
    range("gateway.queue_hard_bytes", config.gateway.queue_hard_bytes as u64, soft, 1 << 28);
    range("uplink.text_chars_max", config.uplink.text_chars_max as u64, 1, 10_000);
    wrong.extend(config.entry.weights.problems().iter().map(|problem| format!("\n  entry.{problem}")));
    if let Err(error) = config.moderation.validate() {
        wrong.push(format!("\n  {error}"));
    }
    if wrong.is_empty() { Ok(()) } else { bail!("the configuration is not valid:{}", wrong.concat()) }
}

/// Prints what is in force. Keys stand in files; a password in a URL is left out.
pub(crate) fn show(config: &Config) -> anyhow::Result<()> {
    let mut config = config.clone();
    let redis = config.redis.as_mut().map(|redis| &mut redis.url);
    let postgres = config.postgres.as_mut().map(|postgres| &mut postgres.url);
    let nats = config.nats.iter_mut().flat_map(|nats| &mut nats.urls);
    for url in redis.into_iter().chain(postgres).chain(nats) {
        if let Some((scheme, rest)) = url.split_once("://")
            && let Some((_, host)) = rest.rsplit_once('@')
        {
            *url = format!("{scheme}://***@{host}");
        }
    }
    say(toml::to_string_pretty(&config).context("the configuration cannot be shown")?)
}
