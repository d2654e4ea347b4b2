//! Checks of the origins, URLs and addresses that a process gives to clients.

use barrage_bus::Place;
use reqwest::Url;

use super::origin::{is_frame_ancestor, origin_problem};
use super::{Config, Problem, placeholders};

/// Maximum base URLs in `entry.urls`; clients keep all of them.
const ENTRIES_MAX: usize = 8;

/// Checks origins of browsers, and the URLs of this process and of others.
pub(super) fn origins(config: &Config, found: &mut Vec<Problem>) {
    for origin in &config.http.allowed_origins {
        if let Some(expected) = origin_problem(origin) {
            found.push(Problem::value("http.allowed_origins", format!("{origin:?}"), expected));
        }
    }
    for origin in &config.http.frame_ancestors {
        if !is_frame_ancestor(origin) {
            let expected = "an origin such as https://live.example or https://*.live.example";
            found.push(Problem::value("http.frame_ancestors", format!("{origin:?}"), expected));
        }
    }
    for origin in &config.http.image_origins {
        if !origin.starts_with("https://") || !is_frame_ancestor(origin) {
            let expected = "an origin such as https://cdn.example or https://*.cdn.example";
            found.push(Problem::value("http.image_origins", format!("{origin:?}"), expected));
        }
    }
    base_urls("gateway.base_urls", &config.gateway.base_urls, found);
    base_urls("uplink.base_urls", &config.uplink.base_urls, found);
    own_addresses("gateway.addresses", &config.gateway.addresses, found);
    own_addresses("uplink.addresses", &config.uplink.addresses, found);
    for (key, urls) in [
        ("entry.uplink_urls", &config.entry.uplink_urls),
        ("entry.urls", &config.entry.urls),
        ("irc.entry_url", &config.irc.entry_url.iter().cloned().collect()),
        ("probe.entry_url", &config.probe.entry_url.iter().cloned().collect()),
        ("probe.sites", &config.probe.sites.iter().map(|site| site.entry_url.clone()).collect()),
        ("entry.media.hosts", &config.entry.media.hosts.iter().map(|host| host.url.clone()).collect()),
        ("nats.admin_url", &config.nats.iter().filter_map(|nats| nats.admin_url.clone()).collect()),
    ] {
        for url in urls.iter().filter(|url| !is_url(url, &["http", "https"])) {
            found.push(Problem::value(key, format!("{url:?}"), "a URL such as https://chat.example"));
        }
    }
}

/// Checks the literal addresses of entry, and how many URLs it has.
pub(super) fn entry_addresses(config: &Config, found: &mut Vec<Problem>) {
    let wrong = barrage_entry::address_problems(&config.entry.addresses);
    found.extend(wrong.into_iter().map(|(index, expected)| {
        Problem::new("entry.addresses", format!("entry.addresses, number {}: {expected}", index + 1))
    }));
    let wrong = barrage_entry::media_problems(&config.entry.media);
    found.extend(wrong.into_iter().map(|(key, expected)| Problem::new(key, format!("{key}: {expected}"))));
    if config.entry.urls.len() > ENTRIES_MAX {
        found.push(Problem::value(
            "entry.urls",
            format!("{} URLs", config.entry.urls.len()),
            format!("at most {ENTRIES_MAX}"),
        ));
    }
}

/// Checks the base URLs of a list, with sample values in place of their placeholders.
fn base_urls(key: &str, urls: &[String], found: &mut Vec<Problem>) {
    for url in urls {
        match placeholders::sample(url) {
            Ok(sample) if is_url(&sample, &["http", "https"]) => {}
            Ok(_) => {
                found.push(Problem::value(key, format!("{url:?}"), "a URL such as https://chat.example"))
            }
            Err(why) => found.push(Problem::new(key, format!("{key}: {why}"))),
        }
    }
}

/// Checks the addresses that an instance reports, with sample values in place of their placeholders.
fn own_addresses(key: &str, addresses: &[String], found: &mut Vec<Problem>) {
    if addresses.len() > Place::ADDRESSES_MAX {
        let expected = format!("at most {}", Place::ADDRESSES_MAX);
        found.push(Problem::value(key, format!("{} addresses", addresses.len()), expected));
    }
    for address in addresses {
        match placeholders::sample(address) {
            Ok(sample) if Place::parse_address(&sample).is_some() => {}
            Ok(_) => {
                let expected = "an IP address of a server such as 203.0.113.7, or {node_ip}";
                found.push(Problem::value(key, format!("{address:?}"), expected));
            }
            Err(why) => found.push(Problem::new(key, format!("{key}: {why}"))),
        }
    }
}

/// Returns whether a text is a URL of one of the schemes, with a host.
pub(super) fn is_url(text: &str, schemes: &[&str]) -> bool {
    Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
}
