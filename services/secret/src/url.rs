//! A URL that may contain credentials, which logs and pages must not show.

use std::fmt;

use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize, Serializer};

/// Text shown in place of a secret.
const HIDDEN: &str = "***";
/// Query parameters of database URLs that are no secrets.
const PLAIN_PARAMETERS: [&str; 9] =
    ["sslmode", "host", "hostaddr", "port", "dbname", "user", "application_name", "sslrootcert", "protocol"];

/// A URL that may contain a password, a token or a key. `Debug` and `Serialize` replace secrets with
/// `***`: user name and password (a user name without a password stays in `postgres://`, where it is
/// no secret), values of query parameters, and the path of `http://` and `https://`, where web hooks
/// have their key. [`SecretUrl::expose`] returns the whole URL, for the client that connects.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl Setting for SecretUrl {
    const KIND: Kind = Kind::Url;
}

impl SecretUrl {
    /// Returns the whole URL. It must not be logged, nor be part of an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the URL with its secrets replaced.
    #[must_use]
    pub fn redacted(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return if self.0.is_empty() { String::new() } else { HIDDEN.to_owned() };
        };
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        // A password may contain a slash: the last `@` ends the credentials.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (host, path) = split(place, '/');
        let mut shown = format!("{scheme}://");
        match credentials {
            None => {}
            Some(user) if scheme.starts_with("postgres") && !user.contains(':') => {
                shown.extend([user, "@"]);
            }
            Some(_) => shown.extend([HIDDEN, "@"]),
        }
        shown.push_str(host);
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        match path {
            None => {}
            Some(path) if path.is_empty() || !is_web => shown.extend(["/", path]),
            Some(_) => shown.extend(["/", HIDDEN]),
        }
        for (at, parameter) in query.iter().flat_map(|query| query.split('&')).enumerate() {
            shown.push(if at == 0 { '?' } else { '&' });
            match parameter.split_once('=') {
                Some((name, _)) if PLAIN_PARAMETERS.contains(&name) => shown.push_str(parameter),
                Some((name, _)) => shown.extend([name, "=", HIDDEN]),
                None => shown.push_str(HIDDEN),
            }
        }
        if fragment.is_some() {
            shown.extend(["#", HIDDEN]);
        }
        shown
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        SecretUrl(url)
    }
}

impl From<&str> for SecretUrl {
    fn from(url: &str) -> Self {
        SecretUrl(url.to_owned())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.redacted())
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_query_values_and_web_paths_are_hidden() {
        for (url, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://canary@host:4222", "nats://***@host:4222"),
            ("redis://me:canary@host/1", "redis://***@host/1"),
            ("redis://:can/ary@x@host", "redis://***@host"),
            ("postgres://barrage@db/barrage", "postgres://barrage@db/barrage"),
            ("postgres://me:canary@db/b?sslmode=require", "postgres://***@db/b?sslmode=require"),
            ("postgres://db/b?password=canary&user=me", "postgres://db/b?password=***&user=me"),
            ("http://me:canary@hook:9/check", "http://***@hook:9/***"),
            ("http://hook/services/canary?key=canary&canary#canary", "http://hook/***?key=***&***#***"),
            ("http://hook:9/", "http://hook:9/"),
            ("canary", "***"),
            ("", ""),
        ] {
            let url = SecretUrl::from(url);
            assert_eq!(url.redacted(), shown);
            assert_eq!(serde_json::to_value(&url).unwrap(), shown);
            assert!(!format!("{url:?}").contains("canary"));
        }
    }

    #[test]
    fn the_whole_url_is_parsed_and_exposed() {
        let url: SecretUrl = serde_json::from_str(r#""redis://me:canary@host""#).unwrap();
        assert_eq!(url.expose(), "redis://me:canary@host");
    }
}
