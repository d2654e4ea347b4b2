//! Addresses in a text.
//!
//! Found are `scheme://…`, host names whose last or middle label is a known top-level
//! domain, names that begin with `www.`, and dotted IPv4 addresses; also when written
//! full-width, with invisible characters, with `。` for the dot, or with a dot that is
//! written out: `example dot com`, `example[.]com`, `example(dot)com`, `example点com`.
//! Not found are a space around a bare dot (`I like it. Me too`), top-level domains
//! outside of the list, and internationalised ones.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::Action;
use crate::characters::{characters, is_simple};
use crate::fold_table::is_invisible;

/// Top-level domains of bare names: the large ones, and those that spam comes from.
/// Left out are those that are words of a sentence (`in`, `is`, `it`, `so`, `to`, `us`).
const TOP_LEVEL: [&str; 44] = [
    "app", "biz", "cc", "click", "cn", "co", "com", "de", "dev", "edu", "fr", "fun", "gg", "gov", "hk",
    "icu", "info", "io", "jp", "kr", "link", "live", "ly", "me", "net", "online", "org", "pro", "pw", "ru",
    "shop", "site", "store", "tk", "top", "tv", "tw", "uk", "vip", "vn", "wang", "win", "xin", "xyz",
];

/// A label of a host name; letters of other alphabets too, so that a name that mixes
/// them is not taken for its Latin half. Han is not among them: text stands around names.
const LABEL: &str = r"[a-z0-9\u{C0}-\u{2AF}\u{370}-\u{52F}-]+";

static WRITTEN_DOT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\s*[(\[{<【〔]\s*(?:dot|\.|[点點])\s*[)\]}>】〕]\s*|\s+dot\s+|\s*[点點]\s*"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"(?:[a-z][a-z0-9+.\-]*://(?P<authority>[^\s/?\#]+)|(?P<bare>{LABEL}(?:\.{LABEL})+)(?::\d+)?)(?:[/?\#][!-~]*)?"
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is constant, and every test of links uses it")
}

/// `[moderation.links]`: addresses in texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinksConfig {
    /// `admit`, `mask`, `refuse` or `hold`. Default `admit`: off.
    pub action: Action,
    /// Hosts that may be named, with all under them: `example.com` admits
    /// `www.example.com` too. Default none.
    pub allow: Vec<String>,
    /// Report alone, do nothing. Default false.
    pub shadow: bool,
}

impl Default for LinksConfig {
    fn default() -> Self {
        LinksConfig { action: Action::Admit, allow: Vec::new(), shadow: false }
    }
}

/// An address that is not allowed: bytes of the original, and its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// What a reader sees as characters, each as a byte range.
    pub(crate) characters: Vec<(usize, usize)>,
    pub(crate) host: String,
}

/// The allowed hosts.
#[derive(Debug)]
pub(crate) struct Links {
    allow: HashSet<String>,
}

/// A text with the forms of one letter made one; for every byte, the character that
/// it came from.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    from: Vec<(usize, usize)>,
}

impl Links {
    pub(crate) fn new(config: &LinksConfig) -> Self {
        Links { allow: config.allow.iter().map(|host| host.to_lowercase()).collect() }
    }

    /// Every address in `text` whose host is not allowed.
    pub(crate) fn find(&self, text: &str) -> Vec<Link> {
        let plain = Plain::new(text);
        // Cheap searches first: most texts have none of these.
        let written = ["dot", "点", "點", "."].iter().any(|dot| plain.text.contains(dot));
        if !written && !plain.text.contains("://") {
            return Vec::new();
        }
        let plain = if WRITTEN_DOT.is_match(&plain.text) { plain.with_dots() } else { plain };
        let found = ADDRESS.captures_iter(&plain.text).filter_map(|captures| {
            let host = match (captures.name("authority"), captures.name("bare")) {
                (Some(authority), _) => host_of(authority.as_str()),
                (None, Some(bare)) if is_host(bare.as_str()) => bare.as_str(),
                (None, _) => return None,
            };
            if self.is_allowed(host) {
                return None;
            }
            let mut characters = plain.from[captures.get_match().range()].to_vec();
            characters.dedup();
            Some(Link { characters, host: host.to_owned() })
        });
        found.collect()
    }

    fn is_allowed(&self, host: &str) -> bool {
        let parents = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        std::iter::once(host).chain(parents).any(|host| self.allow.contains(host))
    }
}

/// Without who logs in and the port.
fn host_of(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let port = host.rfind(':').filter(|at| host[at + 1..].bytes().all(|b| b.is_ascii_digit()));
    port.map_or(host, |at| &host[..at])
}

fn is_host(name: &str) -> bool {
    name.starts_with("www.")
        || name.split('.').skip(1).any(|label| TOP_LEVEL.contains(&label))
        || name.parse::<Ipv4Addr>().is_ok()
}

impl Plain {
    fn new(text: &str) -> Self {
        let mut plain = Plain::default();
        plain.text.reserve(text.len());
        plain.from.reserve(text.len());
        for (start, character) in characters(text) {
            let from = (start, start + character.len());
            let mut chars = character.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if is_simple(c) => plain.push(c.to_ascii_lowercase(), from),
                _ => {
                    let visible = character.chars().filter(|c| !is_invisible(*c));
                    visible.nfkc().flat_map(char::to_lowercase).for_each(|c| plain.push(c, from));
                }
            }
        }
        plain
    }

    fn push(&mut self, c: char, from: (usize, usize)) {
        self.text.push(if c == '。' { '.' } else { c });
        self.from.resize(self.text.len(), from);
    }

    fn with_dots(&self) -> Plain {
        let mut dotted = Plain::default();
        let mut at = 0;
        for found in WRITTEN_DOT.find_iter(&self.text) {
            dotted.copy(self, at..found.start());
            dotted.push('.', (self.from[found.start()].0, self.from[found.end() - 1].1));
            at = found.end();
        }
        dotted.copy(self, at..self.text.len());
        dotted
    }

    fn copy(&mut self, other: &Plain, range: std::ops::Range<usize>) {
        self.text.push_str(&other.text[range.clone()]);
        self.from.extend_from_slice(&other.from[range]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts(text: &str) -> Vec<String> {
        let allow = vec!["Live.Example".to_owned(), "youtube.com".to_owned()];
        let links = Links::new(&LinksConfig { allow, ..LinksConfig::default() });
        links.find(text).into_iter().map(|link| link.host).collect()
    }

    #[test]
    fn addresses_are_found() {
        for (text, host) in [
            ("see https://evil.example/x?y#z now", "evil.example"),
            ("HTTP://EVIL.EXAMPLE:8080", "evil.example"),
            ("https://youtube.com@evil.example/", "evil.example"),
            ("tg://join", "join"),
            ("www.anything.zzz", "www.anything.zzz"),
            ("来example.com看", "example.com"),
            ("ｅｘａｍｐｌｅ．ｃｏｍ", "example.com"),
            ("exa\u{200B}mple.com", "example.com"),
            ("example。com", "example.com"),
            ("example dot com", "example.com"),
            ("example (dot) com", "example.com"),
            ("example[.]com", "example.com"),
            ("example 点 com", "example.com"),
            ("1.2.3.4:80/x", "1.2.3.4"),
            ("t.me/abc", "t.me"),
            ("yоutube.com", "yоutube.com"),
            ("notyoutube.com", "notyoutube.com"),
            ("youtube.com.evil.ru", "youtube.com.evil.ru"),
        ] {
            assert_eq!(hosts(text), [host], "{text}");
        }
    }

    #[test]
    fn what_is_no_address_or_is_allowed_is_left_alone() {
        for text in [
            "",
            "hello",
            "3.5 points",
            "v1.2.3",
            "1.2.3.400",
            "I like it. Me too",
            "wait...what",
            "e.g. this",
            "好。com",
            "一点点",
            "dot dot dot",
            "https://www.youtube.com/watch?v=1",
            "youtube.com",
            "m.live.example",
            "www.youtube.com",
            "8点见",
        ] {
            assert_eq!(hosts(text), Vec::<String>::new(), "{text}");
        }
    }

    proptest! {
        /// Whatever the text, ranges are those of characters, in order.
        #[test]
        fn ranges_are_valid(text in "(\\PC{0,10}|[a-z点。.:/ ﬁ\u{301}]{0,10}|http://|\\.com){0,4}") {
            for link in Links::new(&LinksConfig::default()).find(&text) {
                prop_assert!(link.characters.iter().all(|(start, end)| text.get(*start..*end).is_some()));
                prop_assert!(link.characters.is_sorted());
                prop_assert!(!link.characters.is_empty());
            }
        }
    }
}
