//! The order of media hosts for a client, by place.

use crate::media::config::MediaHostsConfig;
use crate::place::{Location, PlaceConfig, place_ms};

/// Returns the base URLs of media for a client: the nearest first, those of one distance in the order that `random`
/// gives (0 to 1 for each), so that they share the clients.
pub(crate) fn hosts(
    config: &MediaHostsConfig,
    costs: &PlaceConfig,
    location: &Location,
    mut random: impl FnMut() -> f64,
) -> Vec<String> {
    let mut ranked: Vec<_> = config
        .hosts
        .iter()
        .map(|host| (place_ms(costs, location, &host.place()), random(), host.url.trim_end_matches('/')))
        .collect();
    ranked.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    ranked.into_iter().take(config.hosts_max).map(|(_, _, url)| url.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::MediaHost;
    use super::*;

    fn config() -> MediaHostsConfig {
        let host = |url: &str, region: &str, carriers: &[&str]| MediaHost {
            url: format!("https://{url}/"),
            region: (!region.is_empty()).then(|| region.to_owned()),
            carriers: carriers.iter().map(|&carrier| carrier.to_owned()).collect(),
        };
        MediaHostsConfig {
            hosts: vec![
                host("de", "DE", &[]),
                host("sh-unicom", "CN-SH", &["unicom"]),
                host("sh-telecom", "CN-SH", &["telecom"]),
                host("cn", "CN", &[]),
            ],
            ..MediaHostsConfig::default()
        }
    }

    fn order(region: &str, carrier: &str, draws: &[f64]) -> Vec<String> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let location = Location { region: named(region), carrier: named(carrier) };
        let mut draws = draws.iter().copied().cycle();
        let found = hosts(&config(), &PlaceConfig::default(), &location, || draws.next().unwrap());
        found.into_iter().map(|url| url.trim_start_matches("https://").to_owned()).collect()
    }

    #[test]
    fn near_host_with_a_line_comes_first() {
        for (region, carrier, draws, wanted) in [
            ("CN-SH", "telecom", [0.1, 0.2, 0.3, 0.4], ["sh-telecom", "cn", "sh-unicom"]),
            ("CN-SH", "telecom", [0.1, 0.2, 0.4, 0.3], ["cn", "sh-telecom", "sh-unicom"]),
            ("CN-BJ", "unicom", [0.1, 0.2, 0.3, 0.4], ["cn", "de", "sh-unicom"]),
            ("DE", "", [0.9, 0.2, 0.3, 0.4], ["de", "sh-unicom", "sh-telecom"]),
            // A client of an unknown place: all hosts are alike.
            ("", "", [0.4, 0.3, 0.2, 0.1], ["cn", "sh-telecom", "sh-unicom"]),
        ] {
            assert_eq!(order(region, carrier, &draws), wanted, "{region} {carrier} {draws:?}");
        }
    }
}
