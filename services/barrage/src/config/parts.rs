//! Checks of everything that a process reads before it listens: keys, certificates, word lists, other
//! files, addresses and origins. The checks change nothing and connect to no server; `barrage doctor`
//! connects.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, anyhow};
use barrage_secret::SecretUrl;
use barrage_tls::ClientTls;
use barrage_token::{KeyConfig, Keyring, TokenConfig};
use ipnet::IpNet;
use reqwest::Url;

use super::urls::{entry_addresses, is_url, origins};
use super::{Config, Problem, media_hook};
use crate::data_dir;
use crate::roles::Roles;

/// Shortest prefix of a proxy's IPv4 network. A shorter one is a mistake, because any client would be a
/// proxy. 10.0.0.0/8 is the largest private network; of IPv6, fc00::/7.
const PROXY_PREFIX_MIN_V4: u8 = 8;
const PROXY_PREFIX_MIN_V6: u8 = 7;

/// Parameters of a PostgreSQL URL that the client knows.
const POSTGRES_PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Returns every mistake that prevents a process with these roles from starting or working.
pub(crate) fn problems(config: &Config, roles: Roles) -> Vec<Problem> {
    let mut found = Vec::new();
    topology(config, roles, &mut found);
    keys(config, roles, &mut found);
    listeners(config, &mut found);
    origins(config, &mut found);
    entry_addresses(config, &mut found);
    servers(config, &mut found);
    if let (true, Err(error)) = (roles.is_public(), barrage_http::Tls::load(&config.http)) {
        found.push(Problem::error("http.tls_cert_file", &error.into()));
    }
    if let Err(error) = ClientTls::load(config.ca_file.as_deref()) {
        found.push(Problem::error("ca_file", &error.into()));
    }
    if roles.uplink {
        let unreadable = barrage_moderation::file_problems(&config.moderation);
        found.extend(unreadable.into_iter().map(|error| Problem::error("moderation.lists", &error.into())));
    }
    if roles.webhooks || roles.is_whole() {
        let wrong = config.webhooks.problems();
        found
            .extend(wrong.into_iter().map(|(key, text)| Problem::new(key.clone(), format!("{key}: {text}"))));
    }
    if roles.media || roles.is_whole() && config.media.is_on() {
        found.extend(
            config.media.problems().into_iter().map(|(key, error)| Problem::error(key, &anyhow!(error))),
        );
        found.extend(media_hook::problems(config));
    }
    if roles.push || roles.is_whole() {
        let wrong = config.push.problems();
        found
            .extend(wrong.into_iter().map(|(key, text)| Problem::new(key.clone(), format!("{key}: {text}"))));
    }
    if roles.push && !config.push.is_on() {
        found.push(Problem::value("push.contact", "\"\"", "an address, or another service of [push]"));
    }
    if roles.media && !config.media.is_on() {
        found.push(Problem::value("media.listen", "[]", "an address: media have no other listener"));
    }
    if roles.entry {
        region(config, &mut found);
        capacity("entry.capacity_file", config.entry.capacity_file.as_deref(), &mut found);
        capacity("autoscale.capacity_file", config.autoscale.capacity_file.as_deref(), &mut found);
    }
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        found.push(Problem::value(
            "log.filter",
            format!("{:?}", config.log.filter),
            format!("a filter as RUST_LOG has: {error}"),
        ));
    }
    found
}

fn topology(config: &Config, roles: Roles, found: &mut Vec<Problem>) {
    if config.data_dir.is_file() {
        found.push(Problem::value("data_dir", config.data_dir.display(), "a folder; it is a file"));
    }
    for (key, id) in
        [("gateway.id", &config.gateway.id), ("uplink.id", &config.uplink.id), ("entry.id", &config.entry.id)]
    {
        if id.trim().is_empty() {
            found.push(Problem::value(key, format!("{id:?}"), "a name that no other instance has"));
        }
    }
    if roles.is_whole() {
        return;
    }
    if config.nats.is_none() {
        let text = "a process with one role reaches the other processes through it; `barrage up` runs all roles in \
                    one process";
        found.push(Problem::new("[nats]", text));
    }
    if roles.needs_store() && config.postgres.is_none() && config.store.file.is_none() {
        let text = "uplinks, archivers and webhooks need one store: without it, each has a SQLite file of its own, and \
                    history and audit log stay empty (on one machine, store.file can name one file for all)";
        found.push(Problem::new("[postgres]", text));
    }
    if config.has_inbox(roles) && config.postgres.is_none() && config.inbox.file.is_none() {
        let text = "uplinks, couriers and push need one inbox: without it, each has a SQLite file of its own, and no letter \
                    arrives (on one machine, inbox.file can name one file for all)";
        found.push(Problem::new("[postgres]", text));
    }
    if roles == Roles::PUSH && config.inbox.enabled == Some(false) {
        found.push(Problem::value("inbox.enabled", false, "true, or absent, where notifications are sent"));
    }
    if roles == Roles::COURIER && config.inbox.enabled == Some(false) {
        found.push(Problem::value("inbox.enabled", false, "true, or absent, at a courier"));
    }
}

fn keys(config: &Config, roles: Roles, found: &mut Vec<Problem>) {
    let token = &config.token;
    if token.audience.trim().is_empty() {
        let expected = "the value that tokens have in `aud`; with an empty value, no token verifies";
        found.push(Problem::value("token.audience", format!("{:?}", token.audience), expected));
    }
    let mut ids = HashSet::new();
    let mut can_sign = token.keys.is_empty();
    for (at, key) in token.keys.iter().enumerate() {
        let path = format!("token.keys.{at}");
        let (KeyConfig::Hs256 { id, .. } | KeyConfig::Eddsa { id, .. }) = key;
        if id.is_empty() || !ids.insert(id) {
            found.push(Problem::value(
                format!("{path}.id"),
                format!("{id:?}"),
                "an id that no other key has",
            ));
        }
        match Keyring::load(&TokenConfig { keys: vec![key.clone()], ..token.clone() }) {
            Ok(ring) => can_sign |= ring.can_sign(),
            Err(error) => {
                can_sign = true;
                found.push(Problem::error(path, &error.into()));
            }
        }
    }
    if token.guests == Some(true) && roles.entry && !can_sign {
        let expected = "false: no key can sign a guest's token (an eddsa key needs private_key_file)";
        found.push(Problem::value("token.guests", true, expected));
    }
    if config.accounts.enabled == Some(true) && roles.uplink && !can_sign {
        let expected = "false: no key can sign an account's token (an eddsa key needs private_key_file)";
        found.push(Problem::value("accounts.enabled", true, expected));
    }
    if token.keys.is_empty() && data_dir::key_file(&config.data_dir).exists() {
        let read = data_dir::keyring(&config.data_dir, token, data_dir::MakeKey::Never);
        found.extend(read.err().map(|error| Problem::error("data_dir", &error)));
    }
}

fn listeners(config: &Config, found: &mut Vec<Problem>) {
    let mut taken = HashSet::new();
    let all = config.listen.iter().map(|address| ("listen", address));
    let irc = config.irc.listen.iter().map(|address| ("irc.listen", address));
    let irc = irc.chain(config.irc.tls_listen.iter().map(|address| ("irc.tls_listen", address)));
    let media = config.media.listen.iter().map(|address| ("media.listen", address));
    for (key, address) in all.chain([("admin_listen", &config.admin_listen)]).chain(irc).chain(media) {
        if address.port() != 0 && !taken.insert(address) {
            found.push(Problem::value(key, address, "an address that no other listener has"));
        }
    }
    if !config.irc.tls_listen.is_empty() && config.http.tls_cert_file.is_none() {
        let text = "irc.tls_listen needs a certificate: set http.tls_cert_file and http.tls_key_file";
        found.push(Problem::new("irc.tls_listen", text));
    }
    for network in &config.http.trusted_proxies {
        let min = match network {
            IpNet::V4(_) => PROXY_PREFIX_MIN_V4,
            IpNet::V6(_) => PROXY_PREFIX_MIN_V6,
        };
        if network.prefix_len() < min {
            let expected = format!(
                "the network of your proxies, /{min} at most: every member may name any client address"
            );
            found.push(Problem::value("http.trusted_proxies", network, expected));
        }
    }
}

fn servers(config: &Config, found: &mut Vec<Problem>) {
    let mut check = |key: &str, url: &SecretUrl, schemes: &[&str]| {
        if !is_url(url.expose(), schemes) {
            let expected = format!("a URL that begins with {}://", schemes.join(":// or "));
            found.push(Problem::value(key, format!("{url:?}"), expected));
        }
    };
    if let Some(nats) = &config.nats {
        nats.urls.iter().for_each(|url| check("nats.urls", url, &["nats", "tls", "ws", "wss"]));
        nats.monitor_urls.iter().for_each(|url| check("nats.monitor_urls", url, &["http", "https"]));
    }
    if let Some(endpoint) = &config.trace.endpoint {
        check("trace.endpoint", endpoint, &["http", "https"]);
    }
    if let Some(redis) = &config.redis {
        check("redis.url", &redis.url, &["redis", "rediss"]);
    }
    if let Some(pages) = &config.history_redis {
        pages.urls.iter().for_each(|url| check("history_redis.urls", url, &["redis", "rediss"]));
    }
    if let Some(postgres) = &config.postgres {
        check("postgres.url", &postgres.url, &["postgres", "postgresql"]);
        let unknown = unknown_parameters(postgres.url.expose());
        found.extend(unknown.iter().map(|name| {
            let known = POSTGRES_PARAMETERS.join(", ");
            Problem::new("postgres.url", format!("the client has no parameter `{name}`; it has {known}"))
        }));
    }
    if let Some(nats) = &config.nats {
        if nats.urls.is_empty() {
            found.push(Problem::value("nats.urls", "[]", "a list of at least one server"));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        if nats.prefix.is_empty() || !nats.prefix.bytes().all(allowed) {
            let expected = "letters, digits, `_` and `-`";
            found.push(Problem::value("nats.prefix", format!("{:?}", nats.prefix), expected));
        }
        tls_files("nats", [&nats.tls_ca_file, &nats.tls_cert_file, &nats.tls_key_file], found);
    }
    if let Some(redis) = &config.redis {
        tls_files("redis", [&redis.tls_ca_file, &redis.tls_cert_file, &redis.tls_key_file], found);
    }
    if let Some(pages) = &config.history_redis {
        if !(1..=barrage_quota::PAGE_SERVERS_MAX).contains(&pages.urls.len()) {
            let expected = format!("a list of 1 to {} servers", barrage_quota::PAGE_SERVERS_MAX);
            found.push(Problem::value(
                "history_redis.urls",
                format!("{} servers", pages.urls.len()),
                expected,
            ));
        }
        tls_files("history_redis", [&pages.tls_ca_file, &pages.tls_cert_file, &pages.tls_key_file], found);
    }
}

/// Returns parameters of a URL that the client does not know. The client ignores them, and logs them with
/// their values.
fn unknown_parameters(url: &str) -> Vec<String> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    let names = url.query_pairs().map(|(name, _)| name.into_owned());
    let is_known = |name: &String| {
        POSTGRES_PARAMETERS.contains(&name.as_str()) || name.starts_with("options[") && name.ends_with(']')
    };
    names.filter(|name| !is_known(name)).collect()
}

/// Checks that the TLS files of a client can be read, and that certificate and key are both set or both
/// absent.
fn tls_files(part: &str, files: [&Option<std::path::PathBuf>; 3], found: &mut Vec<Problem>) {
    for (name, file) in ["tls_ca_file", "tls_cert_file", "tls_key_file"].into_iter().zip(files) {
        let read =
            file.as_deref().map(|path| std::fs::read(path).with_context(|| path.display().to_string()));
        if let Some(Err(error)) = read {
            found.push(Problem::error(format!("{part}.{name}"), &error));
        }
    }
    let [_, cert, key] = files;
    if cert.is_some() != key.is_some() {
        found.push(Problem::new(
            format!("{part}.tls_cert_file"),
            "tls_cert_file and tls_key_file must be set together",
        ));
    }
}

fn region(config: &Config, found: &mut Vec<Problem>) {
    let read = config.entry.region_file.as_deref().map(barrage_entry::RegionTable::load);
    if let Some(Err(error)) = read {
        found.push(Problem::error("entry.region_file", &error.into()));
    }
}

fn capacity(key: &str, path: Option<&Path>, found: &mut Vec<Problem>) {
    if let Some(Err(error)) = path.map(barrage_scaling::CapacityFile::read) {
        found.push(Problem::error(key, &error.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_lines(config: &Config, roles: Roles) -> Vec<String> {
        problems(config, roles).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults_have_no_problem() {
        assert_eq!(problem_lines(&Config::default(), Roles::ALL), Vec::<String>::new());
    }

    #[test]
    fn mistakes_in_files_keys_and_addresses_are_reported_together() {
        let mut config = Config::default();
        config.token.audience = String::new();
        config.token.keys = ["a", "a"]
            .map(|id| KeyConfig::Hs256 { id: id.into(), secret_file: "/nowhere/key".into() })
            .into();
        config.http.tls_cert_file = Some("/nowhere/cert.pem".into());
        config.http.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        config.http.allowed_origins = vec!["https://a.example/".into()];
        config.admin_listen = config.listen[0];
        config.gateway.addresses = vec!["{node_ip}".into(), "[2001:db8::1]".into(), "0.0.0.0".into()];
        config.uplink.addresses = vec!["post.example".into()];
        config.entry.region_file = Some("/nowhere/regions".into());
        config.log.filter = "a=b=c".into();
        config.redis =
            Some(barrage_quota::RedisQuotaConfig { url: "http://me:canary@x".into(), ..Default::default() });
        let urls = vec!["http://me:canary@x".into(); 17];
        config.history_redis = Some(barrage_quota::RedisPagesConfig { urls, ..Default::default() });
        let lines = problem_lines(&config, Roles::ALL);
        for key in [
            "token.audience",
            "token.keys.0: key file /nowhere/key",
            "token.keys.1.id",
            "http.tls_cert_file",
            "http.trusted_proxies = 0.0.0.0/0",
            "http.allowed_origins",
            "admin_listen",
            "gateway.addresses = \"0.0.0.0\"",
            "uplink.addresses = \"post.example\"",
            "entry.region_file",
            "log.filter",
            "redis.url",
            "history_redis.urls",
            "history_redis.urls = 17 servers: must be a list of 1 to 16 servers",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(key)), "{key} is not in {lines:#?}");
        }
        assert!(!lines.concat().contains("canary"), "{lines:#?}");
        assert!(!lines.concat().contains("10.0.0.0/8"), "{lines:#?}");
        assert!(!lines.concat().contains("node_ip\""), "{lines:#?}");
    }

    #[test]
    fn process_of_one_role_needs_nats_and_uplinks_need_a_shared_store() {
        let config = Config::default();
        let uplink = problem_lines(&config, Roles::UPLINK);
        assert!(uplink.iter().any(|line| line.starts_with("[nats]")), "{uplink:?}");
        assert!(uplink.iter().any(|line| line.starts_with("[postgres]")), "{uplink:?}");
        let gateway = problem_lines(&config, Roles::GATEWAY);
        assert!(!gateway.iter().any(|line| line.starts_with("[postgres]")), "{gateway:?}");
    }
}
