//! All of the configuration: defaults, then the TOML file, then `BARRAGE_*`, then
//! flags. Unknown keys are errors.

mod address;
mod defaults;
mod layers;
mod limits;
mod parts;
mod problem;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::autoscale::AutoscaleConfig;
use crate::console::print_line;

pub(crate) use address::{parse as parse_address, reachable};
pub(crate) use defaults::show_defaults;
pub(crate) use layers::{Overrides, file_table, load, token};
pub(crate) use parts::problems as part_problems;
pub(crate) use problem::{Problem, refuse};

/// The file that is read when no other is named, if it is there.
pub(crate) const DEFAULT_FILE: &str = "barrage.toml";

/// The whole configuration file. A relative path in the file starts at the file's folder; one
/// in a variable or a flag, at the working directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The file that it was read from; none when there was none.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
    /// Public addresses, as `127.0.0.1:8080` or `localhost:8080`. Default 127.0.0.1:8080.
    #[serde(deserialize_with = "address::several")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Address of the admin API, metrics and health; never a public one.
    /// Default 127.0.0.1:8081.
    #[serde(deserialize_with = "address::one")]
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
            file: None,
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

/// Prints what is in force. Keys stand in files; types hide the passwords of URLs.
pub(crate) fn show(config: &Config) -> anyhow::Result<()> {
    print_line(toml::to_string_pretty(config).context("the configuration cannot be shown")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_the_shown_file_has_a_secret() {
        let config: Config = toml::from_str(
            "[nats]\nurls = [\"nats://me:canary@a\", \"nats://canary@b\"]\nmonitor_urls = [\"http://x:canary@c\"]\n\
             [redis]\nurl = \"redis://:canary@d\"\n[postgres]\nurl = \"postgres://u@e/f?password=canary\"\n\
             [moderation.hook]\nurl = \"http://u:canary@g/canary?canary\"\n",
        )
        .unwrap();
        for shown in [format!("{config:?}"), format!("{config:#?}"), toml::to_string_pretty(&config).unwrap()]
        {
            assert!(shown.contains("***") && !shown.contains("canary"), "{shown}");
        }
        assert_eq!(config.redis.unwrap().url.expose(), "redis://:canary@d");
    }
}
