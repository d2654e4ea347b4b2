//! Order of the sources of an answer: entry by address, entry by name, the stored answer, the embedded
//! list. Pure; `vectors/sources.json` has cases that every client must pass.

use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;

use crate::address::Addresses;

const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// Time for which a stored answer is used.
pub(crate) const STORED_LIFE_MS: u64 = 7 * DAY_MS;
/// Age of an embedded list up to which its addresses are tried before names. Later the addresses may
/// belong to another server, so only encrypted connections still try them, after everything newer.
const EMBEDDED_YOUNG_MS: u64 = 180 * DAY_MS;
/// Largest error of a client's clock that changes no decision.
pub(super) const CLOCK_ERROR_MS: u64 = 2 * DAY_MS;
/// Maximum base URLs of entry that a client asks; further ones are ignored.
const ENTRIES_MAX: usize = 8;
/// Maximum attempts by address before the names.
const ADDRESSES_MAX: usize = 6;
/// Maximum attempts by an address of an old embedded list.
const LATE_ADDRESSES_MAX: usize = 4;

/// Facts that decide the order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Known {
    /// Unix time of the client's clock in milliseconds.
    pub(crate) now_ms: u64,
    /// How the client can connect.
    pub(crate) dials: Dials,
    /// Origin that a page was loaded from, which answered a moment ago.
    pub(crate) here: Option<String>,
    /// Configured base URLs of entry, the preferred one first.
    pub(crate) entries: Vec<String>,
    /// List that was built into the client.
    pub(crate) embedded: Option<EmbeddedFacts>,
    /// Last good answer of entry, from storage.
    pub(crate) stored: Option<StoredFacts>,
}

/// Whether a client can connect to an address under the name of a URL. A page cannot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dials {
    /// Connects to an address, with the name for SNI, `Host` and certificate.
    #[default]
    Addresses,
    /// Connects to URLs alone, as `fetch` does.
    Urls,
}

/// An embedded list, as far as it decides the order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmbeddedFacts {
    /// Unix time at which entry made the list; a list without it counts as old.
    pub(crate) issued_ms: Option<u64>,
    pub(crate) entries: Vec<String>,
    pub(crate) addresses: Addresses,
    /// Whether the list has endpoints of gateways or uplinks.
    pub(crate) has_endpoints: bool,
}

/// A stored answer, as far as it decides the order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoredFacts {
    /// Unix time of the client's clock at which the answer was stored.
    pub(crate) saved_ms: u64,
    pub(crate) entries: Vec<String>,
    pub(crate) addresses: Addresses,
}

/// One source of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Entry, at an address under the name of its URL.
    Address { url: String, address: IpAddr },
    /// Entry, by its URL; DNS finds a name.
    Entry { url: String },
    /// The last good answer, from storage.
    Stored,
    /// The endpoints of the embedded list.
    Embedded,
}

/// Returns the sources in the order to try.
pub(crate) fn sources(known: &Known) -> Vec<Source> {
    let stored = known.stored.as_ref().filter(|stored| is_alive(stored.saved_ms, known.now_ms));
    let embedded = known.embedded.as_ref();
    let lists = [stored.map(|stored| &stored.entries), embedded.map(|embedded| &embedded.entries)];
    let entries =
        distinct(known.here.iter().chain(&known.entries).chain(lists.into_iter().flatten().flatten()));
    let young = embedded.filter(|embedded| is_young(embedded.issued_ms, known.now_ms));
    let old = embedded.filter(|_| young.is_none());
    let newer: Vec<_> = stored
        .map(|stored| &stored.addresses)
        .into_iter()
        .chain(young.map(|young| &young.addresses))
        .collect();
    let early = by_address(&entries, &newer, known.dials);
    let late =
        by_address(&entries, &old.map(|old| &old.addresses).into_iter().collect::<Vec<_>>(), known.dials);
    let late = late.into_iter().filter(|source| is_encrypted(source) && !early.contains(source));

    let mut order = Vec::new();
    let (here, others): (Vec<_>, Vec<_>) = entries.iter().partition(|url| Some(*url) == known.here.as_ref());
    let entry = |url: &String| Source::Entry { url: url.clone() };
    order.extend(here.into_iter().map(entry));
    order.extend(early.iter().take(ADDRESSES_MAX).cloned());
    let (literals, names): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|url| host(url).is_some_and(|host| is_literal(&host)));
    order.extend(literals.into_iter().chain(names).map(entry));
    order.extend(stored.map(|_| Source::Stored));
    order.extend(late.take(LATE_ADDRESSES_MAX));
    order.extend(embedded.filter(|embedded| embedded.has_endpoints).map(|_| Source::Embedded));
    order
}

/// Whether a stored answer is used: within its life, and not from further in the future than a wrong
/// clock explains.
pub(crate) fn is_alive(saved_ms: u64, now_ms: u64) -> bool {
    saved_ms <= now_ms.saturating_add(CLOCK_ERROR_MS) && now_ms.saturating_sub(saved_ms) <= STORED_LIFE_MS
}

/// Whether an embedded list is so young that its addresses still belong to the same servers.
pub(crate) fn is_young(issued_ms: Option<u64>, now_ms: u64) -> bool {
    issued_ms.is_some_and(|issued_ms| now_ms.saturating_sub(issued_ms) <= EMBEDDED_YOUNG_MS)
}

/// Returns the first address of every entry, then every second one, and so on.
fn by_address(entries: &[String], books: &[&Addresses], dials: Dials) -> Vec<Source> {
    if dials == Dials::Urls {
        return Vec::new();
    }
    let addresses_of = |host: &String| {
        let mut addresses = Vec::new();
        for address in books.iter().filter_map(|book| book.get(host)).flatten() {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses
    };
    let hosts = entries.iter().filter_map(|url| Some((url, host(url).filter(|host| !is_literal(host))?)));
    let found: Vec<_> = hosts.map(|(url, host)| (url, addresses_of(&host))).collect();
    let rounds = found.iter().map(|(_, addresses)| addresses.len()).max().unwrap_or(0);
    let nth = |round: usize| {
        found.iter().filter_map(move |(url, addresses)| {
            Some(Source::Address { url: url.to_string(), address: *addresses.get(round)? })
        })
    };
    (0..rounds).flat_map(nth).collect()
}

/// Returns the base URLs without a slash at the end, each once.
fn distinct<'a>(urls: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for url in urls.map(|url| url.trim_end_matches('/')) {
        if found.len() < ENTRIES_MAX && !found.iter().any(|known| known == url) && host(url).is_some() {
            found.push(url.to_owned());
        }
    }
    found
}

/// Returns the host of a URL with `http` or `https`, in lower case, an IPv6 address without brackets.
pub(crate) fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "ws" | "wss"))?;
    Some(url.host_str()?.trim_matches(['[', ']']).to_owned())
}

fn is_literal(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

fn is_encrypted(source: &Source) -> bool {
    matches!(source, Source::Address { url, .. } if url.starts_with("https:"))
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Address { url, address } => write!(f, "address {url} {address}"),
            Source::Entry { url } => write!(f, "entry {url}"),
            Source::Stored => f.write_str("stored"),
            Source::Embedded => f.write_str("embedded"),
        }
    }
}
