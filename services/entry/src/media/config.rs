//! Settings of media in the answers of entry.

use barrage_bus::Place;
use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

/// Maximum hosts of media.
const HOSTS_MAX: usize = 64;

barrage_part::part! {
    /// Media hosts that entry names to clients, and the pieces in which clients upload.
    @[derive(Eq)]
    pub struct MediaHostsConfig {
        /// Hosts of media, at most 64, as `url`, `region` and `carriers`. Without any, `barrage up` names its own
        /// (`media.base_url`, or the ports of `media.listen` on the host that the client asked), and the entry of a fleet
        /// names none.
        hosts: Vec<MediaHost> = Vec::new();
        /// Hosts in one answer, the nearest first.
        hosts_max: usize = 3, between(1, 16);
        /// Carriers of slow networks, in the names of `entry.region_file`: their clients upload in the next smaller
        /// pieces.
        slow_carriers: Vec<String> = Vec::new();
        /// Carriers of fast networks: their clients upload in the next larger pieces.
        fast_carriers: Vec<String> = Vec::new();
    }
}

/// A host of media, an entry of the list `[[entry.media.hosts]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaHost {
    /// Base URL of one process of the role media, such as `https://media-1.example`.
    pub url: String,
    /// Region of the host in the names of `entry.region_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Carriers whose networks have a line to the host; none means all carriers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<String>,
}

impl Setting for MediaHost {
    const KIND: Kind = Kind::Named("host of media");
}

impl MediaHost {
    /// Returns where the host is.
    pub(super) fn place(&self) -> Place {
        Place { region: self.region.clone(), carriers: self.carriers.clone(), ..Place::default() }
    }
}

/// Returns the mistakes of the table, each with its key.
#[must_use]
pub fn media_problems(config: &MediaHostsConfig) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if config.hosts.len() > HOSTS_MAX {
        found.push(("entry.media.hosts", format!("at most {HOSTS_MAX} hosts")));
    }
    let twice = config.slow_carriers.iter().find(|carrier| config.fast_carriers.contains(carrier));
    if let Some(carrier) = twice {
        let text = format!("{carrier:?} is slow or fast, and stands in one of the lists");
        found.push(("entry.media.slow_carriers", text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_in_both_lists_and_too_many_hosts_are_reported() {
        let host = MediaHost { url: "https://m".into(), region: None, carriers: Vec::new() };
        let config = MediaHostsConfig {
            hosts: vec![host; HOSTS_MAX + 1],
            slow_carriers: vec!["a".into(), "b".into()],
            fast_carriers: vec!["b".into()],
            ..MediaHostsConfig::default()
        };
        let keys: Vec<_> = media_problems(&config).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["entry.media.hosts", "entry.media.slow_carriers"]);
        assert_eq!(media_problems(&MediaHostsConfig::default()), []);
    }
}
