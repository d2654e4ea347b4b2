//! Settings of `barrage probe --serve`.

use std::path::PathBuf;
use std::time::Duration;

use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

barrage_part::part! {
    /// The probe, `barrage probe --serve`: examines every gateway in turn through the public path, in the
    /// reserved room `barrage-probe`.
    @[derive(Eq)]
    pub struct ProbeConfig {
        /// Base URL of entry, such as `https://chat.example`. Without it, the first public address of the
        /// configuration.
        entry_url: Option<String> = None;
        /// Name of this site in metrics, when `sites` names others.
        site: String = "local".into();
        /// Time from the start of one round over all gateways to the next, in milliseconds. A round that
        /// takes longer delays the next one.
        interval_ms: u64 = 2_000, between(200, 600_000);
        /// Longest time of one examination, from the connect to the delivery, in milliseconds; the same
        /// for a question to entry. With the defaults, a gateway that does not deliver raises the alarm
        /// within 8 s.
        timeout_ms: u64 = 2_000, between(100, 60_000);
        /// Longest time from the post to the delivery, in milliseconds. A later delivery is a failure of
        /// the phase `deliver`.
        delay_max_ms: u64 = 1_000, between(1, 60_000);
        /// Failures in a row after which a gateway counts as failed, which `barrage_probe_gateway_up` and
        /// an error in the log report. The first success ends it.
        failures_max: u32 = 3, between(1, 1_000);
        /// Examinations at the same time.
        parallel_max: usize = 16, between(1, 1_024);
        /// File with a token of the role probe for the room `barrage-probe`. Read for each round. Without
        /// it, the probe mints its tokens with the first key of `[token]` that can sign.
        token_file: Option<PathBuf> = None;
        /// Further sites of the same platform, at most 8. The probe posts at one site and listens at
        /// the other, for each pair in both directions.
        sites: Vec<SiteConfig> = Vec::new();
    }
}

/// One further site of the list `[[probe.sites]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Name of the site in metrics.
    pub name: String,
    /// Base URL of an entry of the site.
    pub entry_url: String,
    /// File with a token for the site. Without it, the probe uses the tokens of its own site.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Authorities to trust at this site, beside those of the system. Without it, `ca_file`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl Setting for SiteConfig {
    const KIND: Kind = Kind::Named("site");
}

/// Maximum number of further sites.
pub(crate) const SITES_MAX: usize = 8;

impl ProbeConfig {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn delay_max(&self) -> Duration {
        Duration::from_millis(self.delay_max_ms)
    }

    /// Returns why the list of sites cannot be used; `None` when it can.
    #[must_use]
    pub fn sites_problem(&self) -> Option<String> {
        if self.sites.len() > SITES_MAX {
            return Some(format!("{} sites are named; at most {SITES_MAX} are allowed", self.sites.len()));
        }
        let mut names = vec![self.site.as_str()];
        for site in &self.sites {
            if site.name.is_empty() || names.contains(&site.name.as_str()) {
                return Some(format!("{:?} must be a name that no other site has", site.name));
            }
            names.push(&site.name);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_without_a_name_of_its_own_is_refused() {
        let site = |name: &str| SiteConfig {
            name: name.into(),
            entry_url: "https://chat.example".into(),
            token_file: None,
            ca_file: None,
        };
        let problem = |names: &[&str]| {
            let sites = names.iter().map(|name| site(name)).collect();
            ProbeConfig { sites, ..ProbeConfig::default() }.sites_problem()
        };
        assert_eq!(problem(&["east", "west"]), None);
        assert!(problem(&["local"]).is_some());
        assert!(problem(&["east", "east"]).is_some());
        assert!(problem(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]).is_some());
    }
}
