//! A browser's Web Push subscription: an address and keys that a stranger gives.

use std::net::Ipv6Addr;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

/// Longest address of a push service, in bytes. Those of browsers have some 200.
const ENDPOINT_BYTES_MAX: usize = 2_048;
/// Browsers write no padding, some libraries do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where and with which keys to send to a browser. The address is one of a stranger: it may be asked over
/// connections to public addresses alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSubscription {
    endpoint: String,
    pub(crate) public: [u8; 65],
    pub(crate) auth: [u8; 16],
}

/// Why a subscription is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SubscriptionError {
    /// The text is no JSON object as `PushSubscription.toJSON()` gives it.
    #[error("no subscription: an object with endpoint, keys.p256dh and keys.auth is expected")]
    Shape,
    /// The address is no plain https URL.
    #[error("endpoint: an https URL with a host, without user, port 0 or fragment, at most 2048 bytes")]
    Endpoint,
    /// The public key is no uncompressed point.
    #[error("keys.p256dh: 65 bytes in base64url that begin with 4")]
    Public,
    /// The secret has another length.
    #[error("keys.auth: 16 bytes in base64url")]
    Auth,
}

#[derive(Deserialize)]
struct Given {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

impl WebSubscription {
    /// Parses what `PushSubscription.toJSON()` gives. Whether the key is a point of the curve shows when a text is
    /// encrypted for it.
    pub fn parse(text: &str) -> Result<Self, SubscriptionError> {
        let given: Given = serde_json::from_str(text).map_err(|_| SubscriptionError::Shape)?;
        if origin(&given.endpoint).is_none() {
            return Err(SubscriptionError::Endpoint);
        }
        let public = decoded(&given.keys.p256dh).filter(|key: &[u8; 65]| key[0] == 4);
        Ok(WebSubscription {
            public: public.ok_or(SubscriptionError::Public)?,
            auth: decoded(&given.keys.auth).ok_or(SubscriptionError::Auth)?,
            endpoint: given.endpoint,
        })
    }

    /// Returns the URL that takes messages for the browser. It is a secret: who knows it can try to send.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns scheme, host and port of the push service.
    #[must_use]
    pub fn origin(&self) -> &str {
        origin(&self.endpoint).unwrap_or_default()
    }
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Four characters are three bytes: a longer text is not decoded.
    if text.len() > N * 2 {
        return None;
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

/// Returns the origin of an https URL of printable ASCII; `None` for all others.
fn origin(url: &str) -> Option<&str> {
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#<>\"^`{|}".contains(&byte));
    if !is_plain || url.len() > ENDPOINT_BYTES_MAX {
        return None;
    }
    let rest = url.strip_prefix("https://")?;
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_host = |host: &str| match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+');
    (is_host(host) && port.is_none_or(is_port)).then(|| &url[.."https://".len() + authority.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn parse(endpoint: &str, p256dh: &str, auth: &str) -> Result<WebSubscription, SubscriptionError> {
        let keys = serde_json::json!({ "p256dh": p256dh, "auth": auth });
        let given = serde_json::json!({ "endpoint": endpoint, "expirationTime": null, "keys": keys });
        WebSubscription::parse(&given.to_string())
    }

    #[test]
    fn subscription_of_a_browser_is_taken_with_and_without_padding() {
        let one = parse("https://push.example:8443/send/x?y=1", P256DH, AUTH).unwrap();
        assert_eq!(one.origin(), "https://push.example:8443");
        let padded = parse("https://push.example", &format!("{P256DH}="), &format!("{AUTH}==")).unwrap();
        assert_eq!(
            (padded.origin(), padded.public, padded.auth),
            ("https://push.example", one.public, one.auth)
        );
    }

    #[test]
    fn addresses_that_are_no_plain_https_urls_are_refused() {
        for bad in [
            "http://push.example/",
            "https://",
            "https:///x",
            "https://user@push.example/",
            "https://user:word@push.example/",
            "https://push.example:0/",
            "https://push.example:+80/",
            "https://push.example:70000/",
            "https://push.example/#x",
            "https://push.example/\r\nx: y",
            "https://push.example\\@evil/",
            "https://b\u{fc}cher.example/",
            "ftp://push.example/",
            " https://push.example/",
            "https://a:b:443/",
            "https://[push.example]/",
            "https://[::1/",
        ] {
            assert_eq!(parse(bad, P256DH, AUTH), Err(SubscriptionError::Endpoint), "{bad:?}");
        }
        let long = format!("https://push.example/{}", "x".repeat(ENDPOINT_BYTES_MAX));
        assert_eq!(parse(&long, P256DH, AUTH), Err(SubscriptionError::Endpoint));
        // Whether an address may be asked is decided when it is resolved.
        assert_eq!(parse("https://[::1]:443/", P256DH, AUTH).unwrap().origin(), "https://[::1]:443");
    }

    #[test]
    fn keys_of_another_length_or_form_are_refused() {
        let at = "https://push.example/";
        for bad in ["", "BCVx", &P256DH.replacen('B', "A", 1), &"A".repeat(100_000), "?"] {
            assert_eq!(parse(at, bad, AUTH), Err(SubscriptionError::Public), "{bad:.20}");
        }
        for bad in ["", "BTBZ", P256DH, "????????????????????????"] {
            assert_eq!(parse(at, P256DH, bad), Err(SubscriptionError::Auth), "{bad:.20}");
        }
        for bad in ["", "[]", "{\"endpoint\":1}", "{\"endpoint\":\"https://a\"}"] {
            assert_eq!(WebSubscription::parse(bad), Err(SubscriptionError::Shape), "{bad}");
        }
    }
}
