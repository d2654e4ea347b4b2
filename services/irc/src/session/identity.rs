//! Whom a connection speaks for, as its token states it.

use barrage_protocol::UserId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::wire::nick;

/// Longest token that is read, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;
/// Time in milliseconds by which clocks may differ.
const LEEWAY_MS: u64 = 30_000;

/// The user of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Reads only, under the nick that the client chose.
    Anonymous { nick: String },
    /// Has a token. Its claims are read, and not verified: the gateway and the uplink of each room do that,
    /// and this process has no key.
    User { token: String, user: UserId, name: String, role: String },
}

#[derive(Deserialize)]
struct Claims {
    sub: UserId,
    #[serde(default)]
    name: Option<String>,
    role: String,
    exp: f64,
}

impl Identity {
    /// Reads the claims of a token, with or without `oauth:` before it, as it is or in hexadecimal; `None`
    /// when it is none, or has expired.
    pub(crate) fn of_token(pass: &str, now_ms: u64) -> Option<Identity> {
        let token = pass.strip_prefix("oauth:").unwrap_or(pass);
        let decoded = of_hexadecimal(token);
        let token = decoded.as_deref().unwrap_or(token);
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let [_, payload, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let Claims { sub, name, role, exp } = serde_json::from_slice(&payload).ok()?;
        let now_secs = now_ms.saturating_sub(LEEWAY_MS) as f64 / 1_000.0;
        if exp <= now_secs {
            return None;
        }
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| sub.to_string());
        Some(Identity::User { token: token.to_owned(), user: sub, name, role })
    }

    /// Whether the nick is one of those that read without a token.
    pub(crate) fn is_anonymous_nick(nick: &str) -> bool {
        let lower = nick.to_ascii_lowercase();
        let number = lower.strip_prefix("justinfan");
        number.is_some_and(|number| number.len() <= 20 && number.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Nick of the connection, whatever `NICK` named.
    pub(crate) fn nick(&self) -> String {
        match self {
            Identity::Anonymous { nick } => nick.to_ascii_lowercase(),
            Identity::User { user, .. } => nick(user),
        }
    }

    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Identity::Anonymous { .. } => None,
            Identity::User { user, .. } => Some(user),
        }
    }

    pub(crate) fn token(&self) -> Option<&str> {
        match self {
            Identity::Anonymous { .. } => None,
            Identity::User { token, .. } => Some(token),
        }
    }

    /// Name to show; the nick of an anonymous reader.
    pub(crate) fn name(&self) -> &str {
        match self {
            Identity::Anonymous { nick } => nick,
            Identity::User { name, .. } => name,
        }
    }

    /// Role of the token, empty for an anonymous reader.
    pub(crate) fn role(&self) -> &str {
        match self {
            Identity::Anonymous { .. } => "",
            Identity::User { role, .. } => role,
        }
    }
}

/// Returns the text of hexadecimal digits. tmi.js writes the password in small letters, which would change a
/// token; a token has dots, and so is never taken for digits.
fn of_hexadecimal(text: &str) -> Option<String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let bytes =
        digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect();
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_in_hexadecimal_survives_small_letters() {
        let plain = token(r#"{"sub": "Ann", "role": "viewer", "exp": 2000}"#);
        let digits: String =
            plain.trim_start_matches("oauth:").bytes().map(|byte| format!("{byte:02X}")).collect();
        let identity = Identity::of_token(&format!("oauth:{}", digits.to_lowercase()), 0);
        assert!(identity.is_some());
        assert_eq!(identity, Identity::of_token(&plain, 0));
        assert_eq!(Identity::of_token("oauth:abcdef", 0), None);
    }

    fn token(claims: &str) -> String {
        format!("oauth:x.{}.y", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_name_the_user() {
        let claims = r#"{"sub": "Ann", "name": "Ann B", "role": "host", "exp": 2000, "aud": "barrage"}"#;
        let identity = Identity::of_token(&token(claims), 1_000_000).unwrap();
        assert_eq!((identity.nick().as_str(), identity.name(), identity.role()), ("^ann", "Ann B", "host"));
        assert!(!identity.token().unwrap().starts_with("oauth"));
        assert_eq!(Identity::of_token(&token(claims), 2_030_000), None, "expired");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let bad = [
            String::new(),
            "oauth:".into(),
            "a.b.c".into(),
            token("{}"),
            token(r#"{"sub": "a b", "role": "viewer", "exp": 9999999999}"#),
            format!("x.{}.y", "A".repeat(9_000)),
        ];
        for pass in bad {
            assert_eq!(Identity::of_token(&pass, 0), None, "{pass:?}");
        }
    }

    #[test]
    fn anonymous_nicks_are_those_of_the_format() {
        assert!(Identity::is_anonymous_nick("justinfan12345") && Identity::is_anonymous_nick("JustinFan7"));
        assert!(!Identity::is_anonymous_nick("justinfan7x") && !Identity::is_anonymous_nick("ann"));
    }
}
