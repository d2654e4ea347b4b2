//! Settings of notifications: services, bounds of their requests, and the pace of followers.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_flow::BreakerConfig;
use barrage_part::{Kind, Setting};
use http::Uri;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::exchange::Bounds;

/// Maximum number of services of vendors; each is a label of metrics.
const VENDORS_MAX: usize = 8;
/// Maximum length of a vendor's name.
const NAME_CHARS_MAX: usize = 32;

barrage_part::part! {
    /// Notifications for users who do not look. `up` sends them where a service is configured; a fleet needs a process
    /// `barrage push`, and letters to be on.
    pub struct PushConfig {
        /// `mailto:` or `https:` address by which push services of browsers reach the operator. With it, Web Push is
        /// on.
        contact: String = String::new();
        /// File with the private key of Web Push (PEM, PKCS #8, P-256). `up` makes one in the data directory where none
        /// is named. A new key makes all subscriptions useless.
        vapid_key_file: Option<PathBuf> = None;
        /// Public key that `vapid_key_file` takes the place of, for a new key on purpose. Absent, a process with another
        /// key than the one that browsers subscribed with does not start. The devices of browsers are forgotten then, and
        /// register again when their pages are opened.
        vapid_key_replaces: Option<String> = None;
        /// Networks outside of the public internet that push services of browsers may be in, such as `10.1.0.0/16`. All
        /// other private addresses are refused after the name is resolved: browsers name the services.
        allow_networks: Vec<IpNet> = Vec::new();
        /// Apple's service, for apps on its devices; absent, they get none.
        apns: Option<ApnsConfig> = None;
        /// Google's service, for apps on Android; absent, they get none.
        fcm: Option<FcmConfig> = None;
        /// Services of vendors, at most 8.
        vendors: Vec<VendorConfig> = Vec::new();
        /// Longest time of one request, from the connect to the end of the answer, in milliseconds.
        timeout_ms: u64 = 10_000, between(100, 60_000);
        /// Requests at the same time to one host of a service. Further ones wait for a second, and then come again.
        parallel_max: usize = 100, between(1, 10_000);
        /// Notifications at the same time.
        rows_max: usize = 256, between(1, 10_000);
        /// Time in seconds after which another process takes a notification that was not settled; longer than a
        /// request.
        lease_secs: u64 = 90, between(5, 3_600);
        /// Interval between two looks at a queue that is empty, in milliseconds.
        poll_interval_ms: u64 = 500, between(10, 60_000);
        /// Attempts for one notification. After the last one it is dropped and counted; the letter stays unread.
        attempts_max: u32 = 8, between(1, 100);
        /// Shortest wait before another attempt, in milliseconds, doubled with each attempt up to an hour.
        retry_ms: u64 = 5_000, between(10, 3_600_000);
        /// Time in seconds for which a service keeps a notification for a device that is off.
        ttl_secs: u64 = 86_400, between(0, 2_419_200);
        /// Days after its last registration at which a device is forgotten.
        unseen_days: u64 = 60, between(1, 3_650);
        /// Circuit breaker before each host of a service.
        breaker: BreakerConfig = breaker();
        /// How fast followers are told of a host who is live.
        live: LiveConfig = LiveConfig::default();
    }
}

barrage_part::part! {
    /// Pace at which followers are told of a host who is live.
    pub struct LiveConfig {
        /// Share of told followers who open the room, from experience. Entry is told to expect them, and the pace
        /// follows what the gateways can admit.
        opening_share: f64 = 0.1, SHARE;
        /// Share of what the gateways can admit that is used for followers who were told.
        admit_share: f64 = 0.5, SHARE;
        /// Viewers that each gateway admits a second, when its reports do not say.
        joins_per_s: u32 = 200, between(1, 1_000_000);
        /// Followers told a second, at most, whatever the gateways can admit.
        notices_per_s_max: u32 = 5_000, between(1, 1_000_000);
        /// Time in seconds between the announcement to entry and the first follower who is told.
        ahead_secs: u64 = 10, between(0, 3_600);
        /// Time in seconds for which entry expects the viewers.
        lasts_secs: u64 = 1_800, between(60, 86_400);
    }
}

/// Settings of a breaker before a service on the internet: slow is not broken.
fn breaker() -> BreakerConfig {
    BreakerConfig {
        window_ms: 30_000,
        calls_min: 10,
        slow_ms: 60_000,
        pause_ms: 1_000,
        pause_ms_max: 60_000,
        probes: 1,
        ..BreakerConfig::default()
    }
}

barrage_part::part! {
    /// Access to Apple's service (APNs) by a key of the team.
    @[derive(Eq)]
    pub struct ApnsConfig {
        /// Key file of the team (`AuthKey_ID.p8`).
        key_file: PathBuf = PathBuf::new();
        /// Id of the key, ten characters, as Apple's page shows it.
        key_id: String = String::new();
        /// Id of the developer team, ten characters, as Apple's page shows it.
        team_id: String = String::new();
        /// Topic of the app, which is its bundle id.
        topic: String = String::new();
        /// Address of the service; the one of development is `https://api.sandbox.push.apple.com`.
        url: String = "https://api.push.apple.com".into();
    }
}

barrage_part::part! {
    /// Google's service, FCM HTTP v1.
    @[derive(Eq)]
    pub struct FcmConfig {
        /// Key file of the service account, in JSON.
        account_file: PathBuf = PathBuf::new();
        /// Address of the service.
        url: String = "https://fcm.googleapis.com".into();
    }
}

/// Service of a vendor, an entry of the list `[[push.vendors]]`: an HTTP API that takes a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorConfig {
    /// Name, which devices name as `vendor`: 1 to 32 of `a-z 0-9 - _`.
    pub name: String,
    /// URL that takes a notification.
    pub url: String,
    /// JSON text of a request. `{token}`, `{title}`, `{body}`, `{kind}`, `{opens}`, `{collapse}` and `{badge}` inside its
    /// strings are replaced; a string that is `{badge}` alone becomes a number.
    pub template: String,
    /// File with the value of the header `authorization`. Read for each request, so that a rotation needs no restart.
    pub authorization_file: PathBuf,
    /// Statuses of an answer by which a token is of no use any more; 404 and 410 when absent.
    #[serde(default = "gone")]
    pub gone_statuses: Vec<u16>,
    /// Bytes of a request, at most; the text of the notification is cut to fit.
    #[serde(default = "bytes_max")]
    pub bytes_max: usize,
}

fn gone() -> Vec<u16> {
    vec![404, 410]
}

fn bytes_max() -> usize {
    4_096
}

impl Setting for VendorConfig {
    const KIND: Kind = Kind::Named("vendor");
}

impl PushConfig {
    /// Returns whether a service is configured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.contact.is_empty() || self.apns.is_some() || self.fcm.is_some() || !self.vendors.is_empty()
    }

    /// Returns every mistake that prevents a start: key, and what is wrong.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut problem = |key: &str, text: &str| found.push((format!("push.{key}"), text.to_owned()));
        if !self.contact.is_empty() && !["mailto:", "https:"].iter().any(|it| self.contact.starts_with(it)) {
            problem("contact", "an address that begins with mailto: or https:");
        }
        let url = "a URL that begins with https://";
        if let Some(apns) = &self.apns {
            if !is_url(&apns.url) {
                problem("apns.url", url);
            }
            for (key, text) in
                [("apns.key_id", &apns.key_id), ("apns.team_id", &apns.team_id), ("apns.topic", &apns.topic)]
            {
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    problem(key, "printable ASCII characters, as Apple hands them out");
                }
            }
        }
        if self.fcm.as_ref().is_some_and(|fcm| !is_url(&fcm.url)) {
            problem("fcm.url", url);
        }
        if self.vendors.len() > VENDORS_MAX {
            problem("vendors", &format!("at most {VENDORS_MAX} services"));
        }
        let mut names = HashSet::from(["web", "apns", "fcm"]);
        for (index, vendor) in self.vendors.iter().enumerate() {
            let mut problem = |key: &str, text: &str| problem(&format!("vendors.{index}.{key}"), text);
            if !is_name(&vendor.name) || !names.insert(&vendor.name) {
                problem("name", "1 to 32 of a-z 0-9 - _, and not web, apns, fcm or another one's");
            }
            if !is_url(&vendor.url) {
                problem("url", url);
            }
            if !serde_json::from_str(&vendor.template).is_ok_and(|it: serde_json::Value| it.is_object()) {
                problem("template", "the text of a JSON object");
            }
            if !(256..=65_536).contains(&vendor.bytes_max) {
                problem("bytes_max", "256 to 65536");
            }
        }
        if self.lease_secs.saturating_mul(1_000) <= self.timeout_ms.saturating_add(2_000) {
            problem("lease_secs", "longer than timeout_ms by more than two seconds");
        }
        found
    }

    /// Returns the bounds of requests to one host.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            deadline: Duration::from_millis(self.timeout_ms),
            parallel_max: self.parallel_max,
            breaker: self.breaker.clone(),
        }
    }

    /// Returns the wait before another attempt after `attempts`. `chance` is a random number from 0 to 1.
    pub(crate) fn wait(&self, attempts: u32, asked: Option<Duration>, chance: f64) -> Duration {
        let hour = Duration::from_secs(3_600);
        let doubled = self.retry_ms.saturating_mul(1 << attempts.min(20));
        let wait = Duration::from_millis(doubled).min(hour).mul_f64(1.0 + 0.2 * chance.clamp(0.0, 1.0));
        wait.max(asked.unwrap_or_default().min(hour))
    }

    pub(crate) fn store_backoff() -> Backoff {
        Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

fn is_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https") && url.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(name: &str, url: &str, template: &str) -> VendorConfig {
        VendorConfig {
            name: name.into(),
            url: url.into(),
            template: template.into(),
            authorization_file: "key".into(),
            gone_statuses: gone(),
            bytes_max: bytes_max(),
        }
    }

    #[test]
    fn mistakes_are_named_by_their_keys() {
        assert!(PushConfig::default().problems().is_empty() && !PushConfig::default().is_on());
        let config = PushConfig {
            contact: "ops@example.com".into(),
            lease_secs: 5,
            vendors: vec![
                vendor("huawei", "https://push.example/send", "{\"to\":\"{token}\"}"),
                vendor("huawei", "http://push.example", "[]"),
                vendor("web", "https://", ""),
            ],
            ..PushConfig::default()
        };
        let keys: Vec<_> = config.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "push.contact",
                "push.vendors.1.name",
                "push.vendors.1.url",
                "push.vendors.1.template",
                "push.vendors.2.name",
                "push.vendors.2.url",
                "push.vendors.2.template",
                "push.lease_secs",
            ]
        );
        assert!(config.is_on());
    }

    #[test]
    fn waits_double_up_to_an_hour_and_obey_the_service() {
        let config = PushConfig::default();
        let secs = |attempts, asked: Option<u64>| {
            config.wait(attempts, asked.map(Duration::from_secs), 0.0).as_secs()
        };
        assert_eq!([secs(0, None), secs(1, None), secs(3, None)], [5, 10, 40]);
        assert_eq!([secs(30, None), secs(0, Some(60)), secs(0, Some(u64::MAX))], [3_600, 60, 3_600]);
        assert_eq!(config.wait(0, None, 1.0), Duration::from_secs(6));
    }
}
