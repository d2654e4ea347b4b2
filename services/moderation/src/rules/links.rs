//! Links: addresses in a text.
//!
//! The search finds `scheme://…`, host names with a known top-level domain as last or middle label,
//! names that begin with `www.`, and dotted IPv4 addresses. It also finds them in full-width letters,
//! with invisible characters, with `。` for the dot, and with the dot in words: `example dot com`,
//! `example[.]com`, `example(dot)com`, `example点com`. It does not find names with a space beside a
//! bare dot (`I like it. Me too`), top-level domains that are not in the list, and internationalised
//! ones.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use crate::decision::Action;
use crate::text::{characters, is_invisible, is_simple};

/// Top-level domains of bare names: the large ones, and those of much spam. Domains that are common
/// words (`in`, `is`, `it`, `so`, `to`, `us`) are excluded.
const TOP_LEVEL: [&str; 44] = [
    "app", "biz", "cc", "click", "cn", "co", "com", "de", "dev", "edu", "fr", "fun", "gg", "gov", "hk",
    "icu", "info", "io", "jp", "kr", "link", "live", "ly", "me", "net", "online", "org", "pro", "pw", "ru",
    "shop", "site", "store", "tk", "top", "tv", "tw", "uk", "vip", "vn", "wang", "win", "xin", "xyz",
];

/// A label of a host name. Letters of other alphabets are included, so that a name of mixed alphabets
/// is not cut to its Latin half. Han is excluded, because Han text stands beside names without a
/// space.
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

barrage_part::part! {
    /// Rule against addresses in texts.
    @[derive(Eq)]
    pub struct LinksConfig {
        /// Action for a text with an address; `admit` turns the rule off.
        action: Action = Action::Admit;
        /// Hosts that are allowed with all hosts below them: `example.com` allows `www.example.com`.
        allow: Vec<String> = Vec::new();
        /// Whether hits are only reported.
        shadow: bool = false;
    }
}

/// An address in a text whose host is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Byte ranges of its characters in the original, as a reader counts characters.
    pub(crate) characters: Vec<(usize, usize)>,
    pub(crate) host: String,
}

/// Finds addresses whose host is not allowed.
#[derive(Debug)]
pub(crate) struct Links {
    allow: HashSet<String>,
}

/// A text with one form of each letter, in lower case. Each byte has the range of its original
/// character.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    from: Vec<(usize, usize)>,
}

impl Links {
    pub(crate) fn new(config: &LinksConfig) -> Self {
        Links { allow: config.allow.iter().map(|host| host.to_lowercase()).collect() }
    }

    /// Returns the addresses in `text` whose host is not allowed.
    pub(crate) fn find(&self, text: &str) -> Vec<Link> {
        let plain = Plain::new(text);
        // Cheap searches first: most texts have no address.
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

/// Returns the host of an authority, without user and port.
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
    fn other_texts_and_allowed_hosts_are_not_found() {
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
        /// Ranges are on the borders of characters and in order, for any text.
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
