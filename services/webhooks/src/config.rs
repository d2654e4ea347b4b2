//! Settings of webhooks, and their checks.

use std::collections::HashSet;
use std::path::PathBuf;

use barrage_flow::BreakerConfig;
use barrage_part::{Kind, Setting};
use barrage_protocol::RoomId;
use barrage_secret::SecretUrl;
use ipnet::IpNet;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::event::{self, KINDS};
use crate::signature::Secrets;

/// Maximum number of receivers: each reads the bus by itself, and is a label of metrics.
const ENDPOINTS_MAX: usize = 16;
/// Maximum length of a receiver's name.
const NAME_CHARS_MAX: usize = 32;

barrage_part::part! {
    /// Webhooks: a customer's servers that are told what happened in the rooms.
    pub struct WebhooksConfig {
        /// Receivers, at most 16. Without one, `up` starts no webhooks.
        endpoints: Vec<EndpointConfig> = Vec::new();
        /// Networks outside of the public internet that receivers may be in, such as `10.1.0.0/16`. All
        /// other private, loopback and link-local addresses are refused after the name is resolved.
        /// Plain `http://` is sent to these networks alone.
        allow_networks: Vec<IpNet> = Vec::new();
        /// Longest time of one request, from the connect to the end of the answer, in milliseconds.
        timeout_ms: u64 = 15_000, between(100, 60_000);
        /// Bytes of an answer that are read, and ignored, before its connection is closed.
        answer_bytes_max: usize = 16_384, between(0, 1 << 20);
        /// Requests at the same time to one receiver.
        parallel_max: usize = 4, between(1, 64);
        /// Time over which the chat of a room becomes one event, in milliseconds. A gift is at most
        /// this late.
        batch_window_ms: u64 = 100, between(0, 10_000);
        /// Chat messages in one event, at most.
        batch_messages_max: usize = 100, between(1, 1_000);
        /// Events of a receiver that wait. Beyond it, chat is dropped and counted. Beyond twice the
        /// number, the bus is not read for this receiver until some were sent.
        pending_max: usize = 100_000, between(10, 10_000_000);
        /// Waits between the attempts for one event in seconds, each made longer at random by up to a
        /// fifth. After the last one the event has failed, and a replay sends it again.
        retry_secs: Vec<u64> = vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400], between(0, 604_800);
        /// Longest time in seconds for which a `Retry-After` is obeyed.
        retry_after_secs_max: u64 = 86_400, between(0, 604_800);
        /// Interval between two looks at a silent bus, and at changes by the admin API, in milliseconds.
        poll_interval_ms: u64 = 1_000, between(10, 60_000);
        /// Lines of the delivery log of one receiver, without the events that wait.
        log_lines_max: usize = 10_000, between(1, 10_000_000);
        /// Age at which lines of the delivery log are deleted, in hours.
        log_hours: u64 = 72, between(1, 8_760);
        /// Conditions of the event `room.surge`.
        surge: SurgeConfig = SurgeConfig::default();
        /// Circuit breaker before each receiver.
        breaker: BreakerConfig = breaker();
    }
}

barrage_part::part! {
    /// Conditions of the event `room.surge`: the chat of a room has become much faster.
    pub struct SurgeConfig {
        /// Chat messages in ten seconds below which nothing is a surge. The display quota of a room
        /// bounds what is counted.
        messages_min: u32 = 100, between(1, 1_000_000);
        /// Factor over the mean of the 50 seconds before.
        factor: f64 = 3.0, OVER_ONE;
        /// Time after a surge without another one in the same room, in seconds.
        quiet_secs: u64 = 300, between(0, 86_400);
    }
}

/// Settings of a breaker that knows receivers on the internet: slow is not broken.
fn breaker() -> BreakerConfig {
    BreakerConfig {
        window_ms: 60_000,
        calls_min: 5,
        slow_ms: 60_000,
        pause_ms: 1_000,
        pause_ms_max: 300_000,
        probes: 1,
        ..BreakerConfig::default()
    }
}

/// One receiver of the list `[[webhooks.endpoints]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Name in metrics, logs and the admin API: 1 to 32 of `a-z 0-9 - _`. The position on the bus
    /// belongs to the name.
    pub name: String,
    /// URL that gets the events.
    pub url: SecretUrl,
    /// File with the secret `whsec_...`, one a line; with several, each signs. Read for each request,
    /// so that a rotation needs no restart.
    pub secret_file: PathBuf,
    /// Types of events, such as `gift.created` or `room.*`; all when absent.
    #[serde(default = "all")]
    pub events: Vec<String>,
    /// Rooms whose events are sent; all when absent.
    #[serde(default)]
    pub rooms: Vec<RoomId>,
}

fn all() -> Vec<String> {
    vec!["*".into()]
}

impl Setting for EndpointConfig {
    const KIND: Kind = Kind::Named("endpoint");
}

impl WebhooksConfig {
    /// Returns every mistake in the receivers that prevents a start: key, and what is wrong. Reads the
    /// files with secrets, and names none of their contents.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.endpoints.len() > ENDPOINTS_MAX {
            found.push(("webhooks.endpoints".into(), format!("at most {ENDPOINTS_MAX} receivers")));
        }
        let mut names = HashSet::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let mut problem = |key: &str, text: String| {
                found.push((format!("webhooks.endpoints.{index}.{key}"), text));
            };
            if !is_name(&endpoint.name) || !names.insert(&endpoint.name) {
                let expected =
                    format!("a name of 1 to {NAME_CHARS_MAX} of a-z 0-9 - _ that no other receiver has");
                problem("name", format!("{:?}: {expected}", endpoint.name));
            }
            if url(&endpoint.url).is_none() {
                // The path may hold a secret, so the message does not name the URL.
                problem("url", "must be a URL that begins with https:// (or http://)".to_owned());
            }
            if let Err(error) = Secrets::read(&endpoint.secret_file) {
                problem("secret_file", error.to_string());
            }
            for pattern in endpoint.events.iter().filter(|pattern| !event::is_known(pattern)) {
                problem(
                    "events",
                    format!("{pattern:?}: one of {}, or a prefix such as gift.*", KINDS.join(", ")),
                );
            }
        }
        found
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

/// Parses the URL of a receiver.
pub(crate) fn url(text: &SecretUrl) -> Option<Url> {
    Url::parse(text.expose()).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_receivers_are_named_without_their_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
        std::fs::write(&good, format!("whsec_{}\n", "A".repeat(44))).unwrap();
        std::fs::write(&bad, "canary").unwrap();
        let endpoint = |name: &str, url: &str, secret_file: &PathBuf, events: &[&str]| EndpointConfig {
            name: name.into(),
            url: url.into(),
            secret_file: secret_file.clone(),
            events: events.iter().map(|&event| event.into()).collect(),
            rooms: Vec::new(),
        };
        let config = WebhooksConfig {
            endpoints: vec![
                endpoint("shop", "https://hook.example/canary", &good, &["gift.*", "room.closed", "*"]),
                endpoint("shop", "ftp://hook.example/canary", &bad, &["gifts", "gift.opened"]),
                endpoint("A b", "https://hook.example", &folder.path().join("none"), &[]),
            ],
            ..WebhooksConfig::default()
        };
        let found = config.problems();
        let keys: Vec<_> =
            found.iter().map(|(key, _)| key.trim_start_matches("webhooks.endpoints.")).collect();
        assert_eq!(
            keys,
            ["1.name", "1.url", "1.secret_file", "1.events", "1.events", "2.name", "2.secret_file"],
            "{found:?}"
        );
        assert!(!format!("{found:?}").contains("canary"), "{found:?}");
        assert!(config.out_of_range("webhooks").is_empty());
    }
}
