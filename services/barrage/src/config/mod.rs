//! The whole configuration: defaults, then the TOML file, then `BARRAGE_*`, then flags. Unknown keys
//! are errors.

mod address;
mod defaults;
mod inbox;
mod layers;
mod media_hook;
mod origin;
mod parts;
mod placeholders;
mod problem;
mod reference;
mod relations;
mod urls;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use barrage_part::{Kind, Setting, part};
use barrage_tls::ClientTls;
use serde::{Deserialize, Serialize};

use crate::autoscale::AutoscaleConfig;
use crate::console::print_line;

pub(crate) use address::{base_url, parse as parse_address, reachable};
pub(crate) use defaults::show_defaults;
pub(crate) use layers::{Overrides, file_table, load, token};
pub(crate) use parts::problems as part_problems;
pub(crate) use placeholders::fill as fill_placeholders;
pub(crate) use problem::{Problem, refuse};
pub(crate) use reference::show_reference;
pub(crate) use relations::problems as value_problems;

/// File that is read when no other file is named.
pub(crate) const DEFAULT_FILE: &str = "barrage.toml";

part! {
    /// Keys outside of tables. A relative path in the file starts at the folder of the file; a relative
    /// path in a variable or flag, at the working directory.
    pub(crate) struct Config {
        /// Public addresses, such as `127.0.0.1:8080` or `localhost:8080`; 1 to 16.
        @[serde(deserialize_with = "address::several")]
        listen: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 8080))];
        /// Address of the admin API, metrics and health. Must not be public.
        @[serde(deserialize_with = "address::one")]
        admin_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8081));
        /// Data directory: keys, message log and store.
        data_dir: PathBuf = "barrage-data".into();
        /// Authorities that clients in this process trust beside those of the system, as a PEM file:
        /// commands, the probe and the calls of other processes' admin listeners. NATS and Redis have
        /// keys of their own.
        ca_file: Option<PathBuf> = None;
        /// Logs on standard error.
        log: LogConfig = LogConfig::default();
        /// Health of the process.
        health: HealthConfig = HealthConfig::default();
        /// Metrics of the process.
        metrics: barrage_exposition::MetricsConfig = Default::default();
        /// Limits of every listener.
        http: barrage_http::HttpConfig = Default::default();
        /// Keys of tokens, and the claims that tokens must have.
        token: barrage_token::TokenConfig = Default::default();
        /// Retention and bounds of messages on the bus.
        bus: barrage_bus::BusConfig = Default::default();
        /// The bus on NATS JetStream.
        nats: Option<barrage_bus::NatsConfig> = None;
        /// The store as a SQLite file.
        store: barrage_store::SqliteConfig = Default::default();
        /// The store in PostgreSQL.
        postgres: Option<barrage_store::PostgresConfig> = None;
        /// The archiver, which copies messages to the store.
        archiver: barrage_archiver::ArchiverConfig = Default::default();
        /// Webhooks, which tell a customer's servers what happened in the rooms.
        webhooks: barrage_webhooks::WebhooksConfig = Default::default();
        /// Media: uploads and their delivery.
        media: barrage_media::MediaConfig = Default::default();
        /// Notifications for users who do not look.
        push: barrage_notifier::PushConfig = Default::default();
        /// Bounds of the limits that this process counts itself.
        quota: barrage_counters::LocalQuotaConfig = Default::default();
        /// Limits counted in Redis.
        redis: Option<barrage_quota::RedisQuotaConfig> = None;
        /// Redis servers that uplinks share first pages of histories through.
        history_redis: Option<barrage_quota::RedisPagesConfig> = None;
        /// Gateways, which hold connections of viewers.
        gateway: barrage_gateway::GatewayConfig = Default::default();
        /// Letters, groups and the inbox.
        inbox: inbox::InboxConfig = Default::default();
        /// Uplinks, which accept posts.
        uplink: barrage_uplink::UplinkConfig = Default::default();
        /// Accounts of people, for a site that has no backend of its own.
        accounts: barrage_uplink::AccountsConfig = Default::default();
        /// Rules for texts and names.
        moderation: barrage_moderation::ModerationConfig = Default::default();
        /// The entry scheduler, which names gateways to clients.
        entry: barrage_entry::EntryConfig = Default::default();
        /// The probe, `barrage probe --serve`.
        probe: barrage_probe::ProbeConfig = Default::default();
        /// The IRC gateway, `barrage irc` or a part of `barrage up`.
        irc: barrage_irc::IrcConfig = Default::default();
        /// Traces of sampled messages.
        trace: barrage_trace::TraceConfig = Default::default();
        /// Autoscaling of a fleet on one machine.
        autoscale: AutoscaleConfig = Default::default();
    }
    skipped {
        /// File that the configuration was read from, if any.
        file: Option<PathBuf> = None;
    }
}

part! {
    /// Logs on standard error.
    @[derive(Eq)]
    pub(crate) struct LogConfig {
        /// Form of log lines: `text` for a terminal, `json` for a collector.
        format: LogFormat = LogFormat::Text;
        /// Log filter, in the syntax of `RUST_LOG`.
        filter: String = "info".into();
    }
}

part! {
    /// Health of the process, as `/healthz` reports it.
    @[derive(Eq)]
    pub(crate) struct HealthConfig {
        /// Largest age of a task's heartbeat in seconds; with an older one, `/healthz` answers 503. Each
        /// task has a heartbeat once a second, and a loaded machine delays it by a few seconds.
        beat_secs_max: u64 = 10, between(2, 3_600);
    }
}

/// Format of log lines: text for people, JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Setting for LogFormat {
    const KIND: Kind = Kind::Choice(&["text", "json"]);
}

impl Config {
    /// Reads the authorities that clients in this process trust.
    pub(crate) fn client_tls(&self) -> anyhow::Result<ClientTls> {
        ClientTls::load(self.ca_file.as_deref()).context("ca_file")
    }

    /// Returns the settings of an HTTP client that trusts these authorities.
    pub(crate) fn http_client(&self) -> anyhow::Result<reqwest::ClientBuilder> {
        Ok(reqwest::Client::builder().tls_backend_preconfigured(self.client_tls()?.rustls()))
    }
}

/// Prints the configuration in force. Types hide the passwords of URLs, and keys are in files.
pub(crate) fn show(config: &Config) -> anyhow::Result<()> {
    print_line(toml::to_string_pretty(config).context("the configuration cannot be printed")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_printed_configuration_contain_no_secret() {
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
