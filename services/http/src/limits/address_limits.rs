//! Limits of the requests of one address.

use std::net::IpAddr;
use std::time::Instant;

use barrage_counters::LocalQuotaMetrics;
use barrage_counters::{LocalQuota, LocalQuotaConfig, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, RuleError, Verdict};
use http::Method;
use ipnet::IpNet;
use prometheus::Registry;

use crate::answer::error::ApiError;
use crate::answer::rate_limited;
use crate::config::HttpConfig;
use crate::request::ClientAddr;

/// Why the limits of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressLimitsError {
    /// A rate is zero or beyond its range.
    #[error("http.limits.{rule}: {error}")]
    Figures {
        /// Name of the limit, which is its key in `http.limits`.
        rule: &'static str,
        /// Why the rate of the limit cannot be used.
        error: RuleError,
    },
    /// The metrics of the counts could not be registered.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// The limits, one for each key of `http.limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Requests for pages of the message history, also in DPlayer's form.
    History,
    /// Polls of a room, long or short.
    Poll,
    /// Requests for guest tokens, by viewers without login, and calls on sessions of accounts.
    Guests,
    /// Requests inside of the bodies of tunnels.
    Tunnel,
    /// Requests for files of the player page, and sets of emotes.
    Page,
    /// Downloads of the race resource, and race reports.
    Race,
    /// Reports of viewers about other users, which moderators read.
    Reports,
    /// Requests for new uploads, parts of joined ones too.
    Uploads,
    /// Requests for media by their signed addresses.
    Media,
    /// Answers to requests with a bad token.
    BadTokens,
}

impl AddressRule {
    const COUNT: usize = 10;
    const ALL: [AddressRule; AddressRule::COUNT] = [
        AddressRule::History,
        AddressRule::Poll,
        AddressRule::Guests,
        AddressRule::Tunnel,
        AddressRule::Page,
        AddressRule::Race,
        AddressRule::Reports,
        AddressRule::Uploads,
        AddressRule::Media,
        AddressRule::BadTokens,
    ];

    const fn name(self) -> &'static str {
        match self {
            AddressRule::History => "history_per_s",
            AddressRule::Poll => "poll_per_s",
            AddressRule::Guests => "guests_per_s",
            AddressRule::Tunnel => "tunnel_per_s",
            AddressRule::Page => "page_per_s",
            AddressRule::Race => "race_per_s",
            AddressRule::Reports => "reports_per_s",
            AddressRule::Uploads => "uploads_per_s",
            AddressRule::Media => "media_per_s",
            AddressRule::BadTokens => "bad_tokens_per_s",
        }
    }

    /// Returns the rule of a route; `None` for a route with limits of its own. A path without a
    /// route is a file of the page.
    pub(crate) fn of(method: &Method, route: Option<&str>) -> Option<AddressRule> {
        match route {
            None => Some(AddressRule::Page),
            // A set has up to some MB.
            Some("/v1/emotes" | "/v1/rooms/{room}/emotes") => Some(AddressRule::Page),
            Some("/v1/rooms/{room}/history") => Some(AddressRule::History),
            Some("/v1/rooms/{room}/poll") => Some(AddressRule::Poll),
            // A post by DPlayer has the limits of posts.
            Some("/v1/rooms/{room}/dplayer/v3/") if method != Method::POST => Some(AddressRule::History),
            // Logins and registrations have limits of their own. Each of these reads the store.
            Some(
                "/v1/guest"
                | "/v1/accounts/me"
                | "/v1/accounts/password"
                | "/v1/accounts/sessions"
                | "/v1/accounts/logout",
            ) => Some(AddressRule::Guests),
            Some("/v1/race" | "/v1/entry/race" | "/v1/ping") => Some(AddressRule::Race),
            // Beside the limits of posts by its sender: guests may have many names.
            Some("/v1/rooms/{room}/reports") => Some(AddressRule::Reports),
            Some("/v1/uploads/known") => Some(AddressRule::Uploads),
            Some("/v1/uploads") if method == Method::POST => Some(AddressRule::Uploads),
            Some("/v1/media/{digest}/{variant}" | "/v1/avatars/{digest}") => Some(AddressRule::Media),
            Some(_) => None,
        }
    }
}

/// Counts requests by address and refuses what exceeds `http.limits`.
pub struct AddressLimits {
    rates: [Rate; AddressRule::COUNT],
    site_factor: u32,
    window_ms: u64,
    unlimited: Vec<IpNet>,
    counts: LocalQuota,
    origin: Instant,
}

impl AddressLimits {
    /// Takes the limits of the configuration.
    ///
    /// # Errors
    /// When a rate is 0.
    pub fn new(config: &HttpConfig) -> Result<Self, AddressLimitsError> {
        let limits = &config.limits;
        let burst_secs = limits.burst_secs.max(1);
        let figures = [
            limits.history_per_s,
            limits.poll_per_s,
            limits.guests_per_s,
            limits.tunnel_per_s,
            limits.page_per_s,
            limits.race_per_s,
            limits.reports_per_s,
            limits.uploads_per_s,
            limits.media_per_s,
            limits.bad_tokens_per_s,
        ];
        let mut rates = [Rate::per_sec(1, 1).map_err(error_of("burst_secs"))?; AddressRule::COUNT];
        for (rule, per_s) in AddressRule::ALL.into_iter().zip(figures) {
            let rate = Rate::per_sec(per_s, per_s.saturating_mul(burst_secs));
            rates[rule as usize] = rate.map_err(error_of(rule.name()))?;
        }
        let counts = LocalQuotaConfig { keys_max: limits.addresses_max, ..LocalQuotaConfig::default() };
        Ok(AddressLimits {
            rates,
            site_factor: config.ipv6_site_factor.max(1),
            window_ms: u64::from(burst_secs) * 1_000,
            unlimited: config.unlimited_networks.clone(),
            // A registry of its own: the process's quota has registered these names.
            counts: LocalQuota::new(&counts, LocalQuotaMetrics::new(&Registry::new())?),
            origin: barrage_clock::now(),
        })
    }

    /// Counts `cost` against the address, and for IPv6 against its /48.
    ///
    /// # Errors
    /// The refusal, with the rule and the time to come back.
    pub fn take(&self, rule: AddressRule, client: ClientAddr, cost: u32) -> Result<(), ApiError> {
        let address = client.0.to_canonical();
        if self.unlimited.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let rate = self.rates[rule as usize];
        self.count(rule, Subject::address(address), rate, cost)?;
        if address.is_ipv6() {
            let widened = rate.units().saturating_mul(self.site_factor);
            let burst = rate.burst().saturating_mul(self.site_factor);
            let site = IpNet::new_assert(address, 48).trunc().addr();
            if let Ok(rate) = Rate::per_sec(widened, burst) {
                self.count(rule, site_subject(site), rate, cost)?;
            }
        }
        Ok(())
    }

    fn count(&self, rule: AddressRule, subject: Subject, rate: Rate, cost: u32) -> Result<(), ApiError> {
        let key = QuotaKey { purpose: rule.name(), subject };
        let verdict = self.counts.decide(&key, cost, &Rule::Rate(rate), self.origin.elapsed());
        if let Verdict::Refuse { .. } = verdict {
            let message = format!(
                "too many requests from this address: {} admits {} a second",
                rule.name(),
                rate.units()
            );
            return Err(rate_limited(message, rule.name(), "address", &verdict, self.window_ms).into());
        }
        Ok(())
    }
}

fn error_of(rule: &'static str) -> impl Fn(RuleError) -> AddressLimitsError {
    move |error| AddressLimitsError::Figures { rule, error }
}

/// Returns the key of a /48. Its lowest bit is set, which [`Subject::address`] clears, so that the
/// key of a /48 differs from that of its first /64.
fn site_subject(site: IpAddr) -> Subject {
    match site {
        IpAddr::V6(site) => Subject::Address(IpAddr::V6((u128::from(site) | 1).into())),
        site @ IpAddr::V4(_) => Subject::Address(site),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AddressLimitsConfig;

    fn limits() -> AddressLimits {
        let limits = AddressLimitsConfig {
            history_per_s: 1,
            tunnel_per_s: 2,
            burst_secs: 10,
            ..AddressLimitsConfig::default()
        };
        AddressLimits::new(&HttpConfig { limits, ipv6_site_factor: 2, ..HttpConfig::default() }).unwrap()
    }

    fn taken(limits: &AddressLimits, rule: AddressRule, address: &str, cost: u32) -> bool {
        limits.take(rule, ClientAddr(address.parse().unwrap()), cost).is_ok()
    }

    #[test]
    fn every_address_has_its_own_burst() {
        let limits = limits();
        assert_eq!((0..20).filter(|_| taken(&limits, AddressRule::History, "192.0.2.1", 1)).count(), 10);
        assert!(taken(&limits, AddressRule::History, "192.0.2.2", 1));
        assert!(taken(&limits, AddressRule::Poll, "192.0.2.1", 1), "another rule");
        let refusal =
            limits.take(AddressRule::History, ClientAddr("192.0.2.1".parse().unwrap()), 1).unwrap_err();
        assert!(refusal.0.retry_after_ms.is_some_and(|ms| ms > 0));
        assert_eq!(refusal.0.limit.unwrap().rule, "history_per_s");
    }

    #[test]
    fn each_refusal_names_its_rule_and_when_to_come_back() {
        let limits = AddressLimits::new(&HttpConfig {
            limits: AddressLimitsConfig {
                history_per_s: 1,
                poll_per_s: 1,
                guests_per_s: 1,
                tunnel_per_s: 1,
                page_per_s: 1,
                race_per_s: 1,
                reports_per_s: 1,
                uploads_per_s: 1,
                media_per_s: 1,
                bad_tokens_per_s: 1,
                burst_secs: 1,
                ..AddressLimitsConfig::default()
            },
            ..HttpConfig::default()
        });
        let (limits, client) = (limits.unwrap(), ClientAddr("192.0.2.1".parse().unwrap()));
        for rule in AddressRule::ALL {
            limits.take(rule, client, 1).unwrap();
            let refusal = limits.take(rule, client, 1).unwrap_err().0;
            assert_eq!(refusal.code, barrage_protocol::Code::RateLimited, "{rule:?}");
            assert_eq!(refusal.limit.unwrap().rule, rule.name());
            let retry_ms = refusal.retry_after_ms.unwrap();
            assert!((1..=1_000).contains(&retry_ms), "{rule:?}: {retry_ms} ms");
        }
    }

    #[test]
    fn sixteen_requests_in_a_tunnel_cost_sixteen() {
        let limits = limits();
        assert!(taken(&limits, AddressRule::Tunnel, "192.0.2.1", 16));
        assert!(!taken(&limits, AddressRule::Tunnel, "192.0.2.1", 16), "20 at most");
        assert!(taken(&limits, AddressRule::Tunnel, "192.0.2.1", 4));
    }

    #[test]
    fn ipv6_site_has_a_multiple_and_loopback_no_limit() {
        let limits = limits();
        let of_site = |n: u32| taken(&limits, AddressRule::History, &format!("2001:db8:1:{n:x}::1"), 1);
        assert_eq!((0..100).filter(|n| of_site(*n)).count(), 20);
        assert_eq!((0..100).filter(|_| taken(&limits, AddressRule::History, "127.0.0.1", 1)).count(), 100);
    }

    #[test]
    fn routes_that_read_the_store_have_a_rule() {
        let of = |method, route| AddressRule::of(&method, Some(route));
        let dplayer = "/v1/rooms/{room}/dplayer/v3/";
        assert_eq!(of(Method::GET, "/v1/rooms/{room}/history"), Some(AddressRule::History));
        assert_eq!(of(Method::GET, dplayer), Some(AddressRule::History));
        assert_eq!(of(Method::HEAD, dplayer), Some(AddressRule::History));
        assert_eq!(of(Method::POST, dplayer), None, "the limits of posts");
        let sessions = ["me", "password", "sessions", "logout"].map(|name| format!("/v1/accounts/{name}"));
        for route in sessions.iter().map(String::as_str).chain(["/v1/guest"]) {
            assert_eq!(of(Method::POST, route), Some(AddressRule::Guests), "{route}");
        }
        assert_eq!(of(Method::POST, "/v1/accounts/login"), None);
        assert_eq!(of(Method::POST, "/v1/rooms/{room}/reports"), Some(AddressRule::Reports));
        assert_eq!(of(Method::POST, "/v1/uploads"), Some(AddressRule::Uploads));
        assert_eq!(of(Method::PATCH, "/v1/uploads/{upload}"), None, "the quotas of media");
        assert_eq!(of(Method::GET, "/v1/media/{digest}/{variant}"), Some(AddressRule::Media));
        assert_eq!(of(Method::GET, "/v1/avatars/{digest}"), Some(AddressRule::Media));
        for route in ["/v1/race", "/v1/entry/race", "/v1/ping"] {
            assert_eq!(of(Method::POST, route), Some(AddressRule::Race), "{route}");
        }
        assert_eq!(of(Method::GET, "/v1/emotes"), Some(AddressRule::Page));
        assert_eq!(AddressRule::of(&Method::GET, None), Some(AddressRule::Page));
    }

    #[test]
    fn limit_of_zero_is_refused_by_name() {
        let limits = AddressLimitsConfig { poll_per_s: 0, ..AddressLimitsConfig::default() };
        let error = AddressLimits::new(&HttpConfig { limits, ..HttpConfig::default() }).err().unwrap();
        assert!(error.to_string().starts_with("http.limits.poll_per_s"), "{error}");
    }
}
