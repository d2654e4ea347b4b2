//! Requests to Apple's push service (APNs over HTTP/2).

use serde_json::json;

use crate::jwt::{KeyError, SigningKey};
use crate::note::Note;

/// Largest payload in bytes.
pub const APNS_BYTES_MAX: usize = 4_096;
/// Age in seconds at which a token is replaced. Apple refuses tokens of more than an hour, and senders that make
/// more than one in 20 minutes.
const TOKEN_SECS: u64 = 40 * 60;

/// The key of a team with Apple, and the token that it last signed.
#[derive(Debug)]
pub struct ApnsKey {
    key: SigningKey,
    key_id: String,
    team_id: String,
    token: Option<(u64, String)>,
}

/// Headers and payload of one request, which is posted to `/3/device/TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApnsRequest {
    /// `apns-collapse-id`: a later notification with the same id replaces this one.
    pub collapse_id: String,
    /// `apns-push-type`: `alert`, also for a change of the badge alone.
    pub push_type: &'static str,
    /// `apns-priority`: 10 for alerts, 5 for badges.
    pub priority: u8,
    /// JSON text of the payload.
    pub payload: String,
}

impl ApnsKey {
    /// Reads the key file of Apple (`AuthKey_ID.p8`).
    pub fn from_pem(text: &str, key_id: &str, team_id: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pem(text)?;
        Ok(ApnsKey { key, key_id: key_id.to_owned(), team_id: team_id.to_owned(), token: None })
    }

    /// Returns the value of the header `authorization`. The token is signed again after 40 minutes, and when the clock
    /// has gone back.
    pub fn authorization(&mut self, now_secs: u64) -> Result<String, KeyError> {
        let is_fresh = |at: u64| (at..at + TOKEN_SECS).contains(&now_secs);
        if let Some((_, token)) = self.token.as_ref().filter(|(at, _)| is_fresh(*at)) {
            return Ok(format!("bearer {token}"));
        }
        let header = json!({ "alg": "ES256", "kid": self.key_id });
        let token = self.key.token(&header, &json!({ "iss": self.team_id, "iat": now_secs }))?;
        self.token = Some((now_secs, token.clone()));
        Ok(format!("bearer {token}"))
    }
}

impl ApnsRequest {
    /// Makes the request of a notification; `None` when its ids alone are too long.
    #[must_use]
    pub fn alert(note: &Note) -> Option<Self> {
        let payload = note.fitted(APNS_BYTES_MAX, |note| {
            json!({
                "aps": {
                    "alert": { "title": note.title, "body": note.body },
                    "badge": note.badge,
                    "sound": "default",
                    "thread-id": note.collapse,
                },
                "kind": note.kind,
                "opens": note.opens,
            })
            .to_string()
        })?;
        Some(ApnsRequest { collapse_id: note.collapse.clone(), push_type: "alert", priority: 10, payload })
    }

    /// Makes the request that lowers the number at the app's symbol, without a sound or text.
    #[must_use]
    pub fn badge(badge: u32) -> Self {
        let payload = json!({ "aps": { "badge": badge } }).to_string();
        ApnsRequest { collapse_id: "badge".into(), push_type: "alert", priority: 5, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::NoteKind;

    #[test]
    fn token_is_kept_for_40_minutes_and_made_again_when_the_clock_goes_back() {
        let (_, pem) = SigningKey::generate().unwrap();
        let mut key = ApnsKey::from_pem(&pem, "KEY", "TEAM").unwrap();
        let first = key.authorization(10_000).unwrap();
        assert!(first.starts_with("bearer ey"));
        assert_eq!(key.authorization(10_000 + TOKEN_SECS - 1).unwrap(), first);
        let second = key.authorization(10_000 + TOKEN_SECS).unwrap();
        assert_ne!(second, first);
        assert_ne!(key.authorization(9_000).unwrap(), second);
    }

    #[test]
    fn payload_is_within_the_limit_and_has_the_badge() {
        let note = Note {
            kind: NoteKind::Mention,
            title: "Ann".into(),
            body: "\u{1f389}".repeat(3_000),
            collapse: "d.x".into(),
            opens: "d.x".into(),
            badge: 12,
        };
        let request = ApnsRequest::alert(&note).unwrap();
        assert!((3_900..=APNS_BYTES_MAX).contains(&request.payload.len()));
        let payload: serde_json::Value = serde_json::from_str(&request.payload).unwrap();
        assert_eq!((&payload["aps"]["badge"], &payload["kind"]), (&json!(12), &json!("mention")));
        assert_eq!(ApnsRequest::badge(0).payload, r#"{"aps":{"badge":0}}"#);
    }
}
