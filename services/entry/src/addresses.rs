//! IP addresses of host names, which entry adds to its answers so that clients need no DNS.

use std::collections::BTreeMap;
use std::net::IpAddr;

use barrage_bus::{InstanceReport, Place};
use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

/// Maximum host names with addresses in the configuration, and so in one answer.
const HOSTS_MAX: usize = 64;
/// Maximum addresses of one host name. A client tries them one after the other.
const ADDRESSES_MAX: usize = Place::ADDRESSES_MAX;

/// IP addresses of one host name, an entry of the list `[[entry.addresses]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostAddresses {
    /// Host name as it stands in the URLs of entry, gateways or uplinks, without a port.
    pub host: String,
    /// IP addresses at which this host is reached, the preferred one first; at most 8. For an
    /// `https` URL the server at each address must have a certificate for the host name.
    pub ips: Vec<IpAddr>,
}

impl Setting for HostAddresses {
    const KIND: Kind = Kind::Named("host with addresses");
}

/// Returns the mistakes of a list, each with the index of its entry and what is expected there.
#[must_use]
pub fn address_problems(list: &[HostAddresses]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if list.len() > HOSTS_MAX {
        found.push((HOSTS_MAX, format!("at most {HOSTS_MAX} hosts")));
    }
    for (index, HostAddresses { host, ips }) in list.iter().enumerate() {
        if !is_host_name(host) {
            found.push((index, "host: a host name such as live.example, without scheme and port".to_owned()));
        } else if list.iter().take(index).any(|other| other.host.eq_ignore_ascii_case(host)) {
            found.push((index, format!("host: {host} once; put all its addresses into one list")));
        }
        if ips.is_empty() || ips.len() > ADDRESSES_MAX {
            found.push((index, format!("ips: 1 to {ADDRESSES_MAX} addresses")));
        }
        if let Some(ip) = ips.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            found.push((index, format!("ips: addresses of servers, which {ip} is not")));
        }
    }
    found
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label) && text.parse::<IpAddr>().is_err()
}

/// Returns the addresses of the hosts that stand in `urls` and of the host that the client asked: those of
/// the configuration, or else those that instances report.
pub(crate) fn of_urls<'a>(
    list: &[HostAddresses],
    reported: &[HostAddresses],
    urls: impl Iterator<Item = &'a str>,
    asked: &'a str,
) -> BTreeMap<String, Vec<IpAddr>> {
    if list.is_empty() && reported.is_empty() {
        return BTreeMap::new();
    }
    let mut found = BTreeMap::new();
    for host in urls.filter_map(host_of).chain([without_port(asked)]) {
        let known = list.iter().chain(reported).find(|known| known.host.eq_ignore_ascii_case(host));
        if let Some(known) = known.filter(|_| !found.contains_key(host) && found.len() < HOSTS_MAX) {
            found.insert(host.to_owned(), known.ips.clone());
        }
    }
    found
}

/// Collects the addresses that instances report of the hosts in their base URLs. Instances that share a
/// host, such as uplinks, share a list, in the order of the reports.
pub(crate) fn reported<'a>(reports: impl Iterator<Item = &'a InstanceReport>) -> Vec<HostAddresses> {
    let mut found: Vec<HostAddresses> = Vec::new();
    for report in reports.filter(|report| !report.place.addresses.is_empty()) {
        let hosts = report.base_urls.iter().filter_map(|url| host_of(url)).filter(|host| is_host_name(host));
        for host in hosts {
            let at = found.iter().position(|known| known.host.eq_ignore_ascii_case(host));
            let known = match at {
                Some(at) => &mut found[at],
                None if found.len() >= HOSTS_MAX => continue,
                None => {
                    found.push(HostAddresses { host: host.to_owned(), ips: Vec::new() });
                    found.last_mut().expect("an entry was added")
                }
            };
            for ip in &report.place.addresses {
                if known.ips.len() < ADDRESSES_MAX && !known.ips.contains(ip) {
                    known.ips.push(*ip);
                }
            }
        }
    }
    found
}

/// Returns the host of a URL, without its port.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(without_port(rest.split(['/', '?', '#']).next().unwrap_or_default()))
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use barrage_bus::Role;

    use super::*;

    fn host(host: &str, ips: &[&str]) -> HostAddresses {
        HostAddresses { host: host.into(), ips: ips.iter().map(|ip| ip.parse().unwrap()).collect() }
    }

    #[test]
    fn answer_has_the_addresses_of_its_hosts_alone() {
        let list = [
            host("Live.example", &["192.0.2.1", "2001:db8::1"]),
            host("g1.example", &["192.0.2.7"]),
            host("other.example", &["192.0.2.9"]),
        ];
        let urls =
            ["wss://g1.example:14000/v1/rooms/demo/ws", "https://[::1]:8443", "https://unknown.example"];
        let found = of_urls(&list, &[], urls.into_iter(), "live.example:443");
        let hosts: Vec<_> = found.iter().map(|(host, ips)| (host.as_str(), ips.len())).collect();
        assert_eq!(hosts, [("g1.example", 1), ("live.example", 2)]);
        assert!(of_urls(&[], &[], urls.into_iter(), "live.example").is_empty());
        let reported = [host("G1.example", &["198.51.100.1"]), host("unknown.example", &["198.51.100.2"])];
        let found = of_urls(&list, &reported, urls.into_iter(), "live.example");
        let first: Vec<_> = found.iter().map(|(host, ips)| format!("{host} {}", ips[0])).collect();
        // The configuration has the last word.
        assert_eq!(first, ["g1.example 192.0.2.7", "live.example 192.0.2.1", "unknown.example 198.51.100.2"]);
    }

    #[test]
    fn instances_report_addresses_of_their_own_hosts() {
        let report = |urls: &[&str], ips: &[&str]| {
            let texts: Vec<_> = ips.iter().map(|ip| (*ip).to_owned()).collect();
            let base_urls = urls.iter().map(|url| (*url).to_owned()).collect();
            let place = Place::default().with_addresses(&texts);
            InstanceReport { base_urls, place, ..InstanceReport::new(Role::Uplink, "u") }
        };
        let many: Vec<_> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let reports = [
            report(&["https://post.example", "https://post.example:14000"], &["[2001:db8::1]", "nonsense"]),
            report(&["https://Post.example"], &["203.0.113.1", "0.0.0.0"]),
            report(&["https://192.0.2.200", "https://many.example"], &many),
            report(&["https://silent.example"], &[]),
        ];
        let found = reported(reports.iter());
        let found: Vec<_> = found.iter().map(|host| (host.host.as_str(), host.ips.len())).collect();
        assert_eq!(found, [("post.example", 2), ("many.example", 8)]);
    }

    #[test]
    fn mistakes_of_the_list_are_named() {
        assert!(
            address_problems(&[host("live.example", &["192.0.2.1"]), host("localhost", &["::1"])]).is_empty()
        );
        for (wrong, expected) in [
            (host("https://live.example", &["192.0.2.1"]), "host:"),
            (host("192.0.2.1", &["192.0.2.1"]), "host:"),
            (host("", &["192.0.2.1"]), "host:"),
            (host("a.example", &[]), "ips: 1 to 8"),
            (host("a.example", &["0.0.0.0"]), "which 0.0.0.0 is not"),
            (host("a.example", &["224.0.0.1"]), "which 224.0.0.1 is not"),
        ] {
            let found = address_problems(std::slice::from_ref(&wrong));
            assert!(found.len() == 1 && found[0].1.contains(expected), "{wrong:?}: {found:?}");
        }
        let twice = [host("a.example", &["192.0.2.1"]), host("A.example", &["192.0.2.2"])];
        assert_eq!(address_problems(&twice)[0].0, 1);
        let many: Vec<_> = (0..65).map(|n| host(&format!("h{n}.example"), &["192.0.2.1"])).collect();
        assert_eq!(address_problems(&many), [(64, "at most 64 hosts".to_owned())]);
    }
}
