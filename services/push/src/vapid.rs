//! VAPID: how a Web Push service knows this sender (RFC 8292).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::jwt::{KeyError, SigningKey};
use crate::subscription::WebSubscription;

/// Life of a token in seconds. A service refuses one of more than 24 hours.
const LIFE_SECS: u64 = 12 * 3_600;

/// The key of this sender. Browsers subscribe with its public part, so that nobody else can send to them.
#[derive(Debug)]
pub struct VapidKey {
    key: SigningKey,
    /// `mailto:` or `https:` address, by which a service reaches the operator.
    contact: String,
}

impl VapidKey {
    /// Reads a PEM file with a PKCS #8 key of the curve P-256.
    pub fn from_pem(text: &str, contact: &str) -> Result<Self, KeyError> {
        Ok(VapidKey { key: SigningKey::from_pem(text)?, contact: contact.to_owned() })
    }

    /// Makes a new key, and returns the PEM text to store.
    pub fn generate(contact: &str) -> Result<(Self, String), KeyError> {
        let (key, pem) = SigningKey::generate()?;
        Ok((VapidKey { key, contact: contact.to_owned() }, pem))
    }

    /// Returns the public key in base64url, as `PushManager.subscribe` takes it.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.key.public())
    }

    /// Returns the value of the header `authorization` for the service of a subscription. It is the same for all
    /// subscriptions of one origin for 12 hours; a caller keeps it for less than that.
    pub fn authorization(&self, subscription: &WebSubscription, now_secs: u64) -> Result<String, KeyError> {
        let claims = json!({
            "aud": subscription.origin(),
            "exp": now_secs + LIFE_SECS,
            "sub": self.contact,
        });
        let token = self.key.token(&json!({ "typ": "JWT", "alg": "ES256" }), &claims)?;
        Ok(format!("vapid t={token}, k={}", self.public()))
    }
}
