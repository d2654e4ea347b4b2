//! Checks of the ports that clients connect to, and of the addresses in `entry.addresses`.
//!
//! Of the ports 443, 80, 8080 and 14000 each passes networks that block others (docs/guide/operate.md).
//! The checks connect from this machine. A firewall in front of it, or a route of the carrier, shows
//! only from outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use barrage_bus::nats::{Finding, Level};
use barrage_protocol::code::ErrorBody;
use futures_util::future::join_all;
use http::header;
use reqwest::Url;

use super::finding::finding;
use crate::config::Config;

/// Ports that a public platform serves, the most important one first.
const PORTS: [u16; 4] = [443, 80, 8_080, 14_000];
/// Longest wait for an answer on one port.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum hosts that are checked; those of further URLs are named as unchecked.
const HOSTS_MAX: usize = 8;

/// What answers on one port of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// A process of Barrage answers.
    Barrage,
    /// Another server answers with this status.
    Other(u16),
    /// Nothing answers, for this reason.
    Nothing(String),
}

/// Runs the checks on every host of a configured public URL.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let urls = public_urls(config);
    let mut hosts: Vec<&str> = Vec::new();
    for host in urls.iter().filter_map(Url::host_str) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() {
        return vec![without_urls(config)];
    }
    let mut found = Vec::new();
    for host in hosts.iter().take(HOSTS_MAX) {
        let named = named_ports(&urls, host);
        let ports: BTreeSet<u16> = PORTS.into_iter().chain(named.iter().copied()).collect();
        let asked = join_all(ports.iter().map(|port| ask(config, url_of(&urls, host, *port), None)));
        let answers: Vec<_> = ports.iter().copied().zip(asked.await).collect();
        found.extend(of_host(host, &named, &answers));
    }
    if let Some(more) = hosts.len().checked_sub(HOSTS_MAX).filter(|more| *more > 0) {
        found.push(finding(
            Level::Risk,
            format!("ports: {more} further hosts of public URLs are not checked"),
        ));
    }
    found.extend(addresses(config, &urls).await);
    found
}

/// Returns the URLs at which clients reach this platform. URLs with placeholders are those of a process.
fn public_urls(config: &Config) -> Vec<Url> {
    let lists =
        [&config.entry.urls, &config.gateway.base_urls, &config.uplink.base_urls, &config.entry.uplink_urls];
    let written = lists.into_iter().flatten().filter(|url| !url.contains('{'));
    written.filter_map(|url| Url::parse(url).ok()).filter(|url| url.host_str().is_some()).collect()
}

/// Returns the ports of a host that clients are sent to.
fn named_ports(urls: &[Url], host: &str) -> BTreeSet<u16> {
    urls.iter().filter(|url| url.host_str() == Some(host)).filter_map(Url::port_or_known_default).collect()
}

/// Returns the base URL of a port: with the scheme that is configured for it, else that of the host. Port
/// 80 speaks plain HTTP, 443 TLS.
fn url_of(urls: &[Url], host: &str, port: u16) -> String {
    let of_host = || urls.iter().filter(|url| url.host_str() == Some(host));
    let configured = of_host().find(|url| url.port_or_known_default() == Some(port)).map(Url::scheme);
    let scheme = match (configured, port) {
        (Some(scheme), _) => scheme,
        (None, 443) => "https",
        (None, 80) => "http",
        (None, _) if of_host().any(|url| url.scheme() == "https") => "https",
        (None, _) => "http",
    };
    format!("{scheme}://{host}:{port}")
}

/// Asks for the race resource, which needs no token. A role without it refuses with an error of Barrage.
/// With an address, connects there under the name of the URL.
async fn ask(config: &Config, base: String, address: Option<IpAddr>) -> Answer {
    let asking = async {
        let mut builder = config.http_client()?.timeout(TIMEOUT);
        if let (Some(address), Ok(url)) = (address, Url::parse(&base)) {
            builder = builder.resolve(url.host_str().unwrap_or_default(), SocketAddr::new(address, 0));
        }
        let mut answer = builder.build()?.get(format!("{base}/v1/race")).send().await?;
        let is_race = answer.status() == 200
            && answer
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|media| media == "application/octet-stream");
        // An error of Barrage is in one small chunk; more of an unknown server's answer is not read.
        let start = answer.chunk().await?.unwrap_or_default();
        let is_error = || serde_json::from_slice::<ErrorBody>(&start).is_ok();
        anyhow::Ok((is_race || is_error(), answer.status().as_u16()))
    };
    match asking.await {
        Ok((true, _)) => Answer::Barrage,
        Ok((false, status)) => Answer::Other(status),
        Err(error) => Answer::Nothing(barrage_tls::reason(error.as_ref())),
    }
}

/// Returns the findings on one host from the answers of its ports.
fn of_host(host: &str, named: &BTreeSet<u16>, answers: &[(u16, Answer)]) -> Vec<Finding> {
    let mut found = Vec::new();
    let answering: Vec<u16> =
        answers.iter().filter(|(_, answer)| *answer == Answer::Barrage).map(|(port, _)| *port).collect();
    for (port, answer) in answers.iter().filter(|(port, _)| named.contains(port)) {
        let why = match answer {
            Answer::Barrage => continue,
            Answer::Other(status) => format!("another server answers there (status {status})"),
            Answer::Nothing(reason) => format!("nothing answers there ({reason})"),
        };
        let text = format!("ports: clients are sent to {host} port {port}, but {why}");
        found.push(finding(Level::Bad, text));
    }
    let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let missing: Vec<u16> = PORTS.into_iter().filter(|port| !answering.contains(port)).collect();
    if !answering.contains(&443) {
        let text = format!(
            "ports: {host} does not answer on 443, the only port that some networks pass: serve TLS there, \
             and name https://{host} in gateway.base_urls and uplink.base_urls"
        );
        found.push(finding(Level::Risk, text));
    } else if answering.len() < 2 {
        let text = format!(
            "ports: {host} answers on {} alone; a network that blocks it locks its viewers out: serve one \
             more of {}",
            list(&answering),
            list(&missing)
        );
        found.push(finding(Level::Risk, text));
    }
    if !answering.is_empty() {
        let text = format!("ports: {host} answers this machine on {}", list(&answering));
        found.push(finding(Level::Good, text));
    }
    found
}

/// Checks that the server at each configured address is the host that it stands for.
async fn addresses(config: &Config, urls: &[Url]) -> Vec<Finding> {
    let mut found = Vec::new();
    for host in &config.entry.addresses {
        let of_host = |url: &&Url| url.host_str().is_some_and(|name| name.eq_ignore_ascii_case(&host.host));
        let Some(url) = urls.iter().find(of_host) else {
            let text = format!(
                "entry.addresses: {} is in no URL of this configuration, so that it is not checked",
                host.host
            );
            found.push(finding(Level::Good, text));
            continue;
        };
        let base = url.as_str().trim_end_matches('/');
        let asked = join_all(host.ips.iter().map(|ip| ask(config, base.to_owned(), Some(*ip)))).await;
        for (ip, answer) in host.ips.iter().zip(asked) {
            found.push(match answer {
                Answer::Barrage => {
                    finding(Level::Good, format!("entry.addresses: {ip} answers as {}", host.host))
                }
                Answer::Other(status) => {
                    let text =
                        format!("entry.addresses: {ip} is another server than {base} (status {status})");
                    finding(Level::Bad, text)
                }
                Answer::Nothing(reason) => {
                    let text = format!("entry.addresses: {ip} does not answer as {base}: {reason}");
                    finding(Level::Bad, text)
                }
            });
        }
    }
    found
}

/// Returns the finding on a configuration that names no public URL.
fn without_urls(config: &Config) -> Finding {
    if config.listen.iter().all(|address| address.ip().is_loopback()) {
        return finding(Level::Good, "ports: the listeners serve this machine alone; nothing is checked");
    }
    let listening: Vec<_> = config.listen.iter().map(|address| address.port().to_string()).collect();
    let text = format!(
        "ports: no public URL is configured, so that clients use the host that they ask, on port {}: name \
         URLs in gateway.base_urls and uplink.base_urls, on 443 and one more of 80, 8080 and 14000",
        listening.join(", ")
    );
    finding(Level::Risk, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(named: &[u16], answers: &[(u16, Answer)]) -> Vec<(Level, String)> {
        let named = named.iter().copied().collect();
        let found = of_host("live.example", &named, answers);
        found.into_iter().map(|found| (found.level, found.text)).collect()
    }

    fn nothing() -> Answer {
        Answer::Nothing("connection refused".into())
    }

    #[test]
    fn port_that_clients_are_sent_to_must_answer() {
        let all = [(80, nothing()), (443, Answer::Barrage), (8_080, nothing()), (14_000, Answer::Barrage)];
        let good = found(&[443, 14_000], &all);
        assert!(good.len() == 1 && good[0].0 == Level::Good, "{good:?}");
        assert!(good[0].1.ends_with("on 443, 14000"), "{good:?}");
        let bad = found(&[443, 80], &all);
        assert!(bad[0].0 == Level::Bad && bad[0].1.contains("port 80, but nothing answers"), "{bad:?}");
        let other = found(&[443], &[(443, Answer::Other(404))]);
        assert!(other[0].0 == Level::Bad && other[0].1.contains("another server"), "{other:?}");
        assert_eq!(other[1].0, Level::Risk);
    }

    #[test]
    fn one_port_alone_and_a_platform_without_443_are_risks() {
        let one = found(&[443], &[(80, nothing()), (443, Answer::Barrage)]);
        assert!(one[0].0 == Level::Risk && one[0].1.contains("one more of 80, 8080, 14000"), "{one:?}");
        let without = found(&[8_080], &[(443, nothing()), (8_080, Answer::Barrage)]);
        assert!(without[0].0 == Level::Risk && without[0].1.contains("not answer on 443"), "{without:?}");
    }

    #[test]
    fn scheme_of_a_port_is_the_configured_one() {
        let urls: Vec<_> = ["https://a.example", "http://a.example:8080", "http://b.example"]
            .map(|url| Url::parse(url).unwrap())
            .into();
        assert_eq!(url_of(&urls, "a.example", 8_080), "http://a.example:8080");
        assert_eq!(url_of(&urls, "a.example", 14_000), "https://a.example:14000");
        assert_eq!(url_of(&urls, "a.example", 80), "http://a.example:80");
        assert_eq!(url_of(&urls, "b.example", 443), "https://b.example:443");
        assert_eq!(url_of(&urls, "b.example", 14_000), "http://b.example:14000");
        assert_eq!(named_ports(&urls, "a.example").into_iter().collect::<Vec<_>>(), [443, 8_080]);
    }
}
