//! The service account of FCM, which exchanges a signed statement for an access token (RFC 7523).

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jwt::KeyError;

/// What the access token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Life of the statement in seconds; Google takes no longer one.
const LIFE_SECS: u64 = 3_600;
/// Time in seconds before its end at which an access token is replaced.
const RENEW_SECS: u64 = 300;

/// A service account, as its key file in JSON has it.
#[derive(Debug)]
pub struct FcmAccount {
    key: RsaKeyPair,
    email: String,
    project: String,
    token_uri: String,
}

/// An access token, with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Value of the header `authorization`.
    pub authorization: String,
    /// Unix time in seconds from which on another one is needed.
    pub renew_at_secs: u64,
}

/// Why a key file of a service account is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file is no JSON object with the fields of a service account.
    #[error(
        "the file is no service account: an object with project_id, client_email, private_key and token_uri"
    )]
    Shape,
    /// A name in the file cannot stand in a URL.
    #[error("project_id: 1 to 64 of a-z 0-9 -")]
    Project,
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

#[derive(Deserialize)]
struct File {
    project_id: String,
    client_email: String,
    private_key: String,
    token_uri: String,
}

impl FcmAccount {
    /// Reads the key file that Google hands out.
    ///
    /// # Errors
    /// When the text is no such file, or its key is no RSA key in the form PKCS #8.
    pub fn from_json(text: &str) -> Result<Self, AccountError> {
        let file: File = serde_json::from_str(text).map_err(|_| AccountError::Shape)?;
        let is_project = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=64).contains(&file.project_id.len()) || !file.project_id.bytes().all(is_project) {
            return Err(AccountError::Project);
        }
        let inside = file.private_key.split_once("-----BEGIN PRIVATE KEY-----").ok_or(KeyError::Pem)?.1;
        let inside = inside.split_once("-----END PRIVATE KEY-----").ok_or(KeyError::Pem)?.0;
        let digits: String = inside.split_ascii_whitespace().collect();
        let der = BASE64_STANDARD.decode(digits).map_err(|_| KeyError::Pem)?;
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|error| KeyError::Key(error.to_string()))?;
        Ok(FcmAccount { key, email: file.client_email, project: file.project_id, token_uri: file.token_uri })
    }

    /// Returns the name of the project, which is a part of the path.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Returns the URL that exchanges the statement.
    #[must_use]
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// Returns the body of the request for an access token, a form.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn exchange(&self, now_secs: u64) -> Result<String, KeyError> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now_secs,
            "exp": now_secs + LIFE_SECS,
        });
        let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Random)?;
        let assertion = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"))
    }
}

impl AccessToken {
    /// Reads the answer to the request for an access token; `None` for any other text.
    #[must_use]
    pub fn from_answer(text: &str, now_secs: u64) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        let token = answer["access_token"].as_str()?;
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let lasts_secs = answer["expires_in"].as_u64().unwrap_or(LIFE_SECS);
        is_token.then(|| AccessToken {
            authorization: format!("Bearer {token}"),
            renew_at_secs: now_secs + lasts_secs.saturating_sub(RENEW_SECS).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_service_account_are_refused() {
        let file = |project: &str, key: &str| {
            json!({ "project_id": project, "client_email": "a@b", "private_key": key, "token_uri": "https://t" })
                .to_string()
        };
        assert!(matches!(FcmAccount::from_json("[]"), Err(AccountError::Shape)));
        assert!(matches!(FcmAccount::from_json(&file("../x", "")), Err(AccountError::Project)));
        assert!(matches!(FcmAccount::from_json(&file("p", "")), Err(AccountError::Key(KeyError::Pem))));
        let short = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        assert!(matches!(FcmAccount::from_json(&file("p", short)), Err(AccountError::Key(KeyError::Key(_)))));
    }

    #[test]
    fn access_token_is_replaced_before_its_end() {
        let token = AccessToken::from_answer(r#"{"access_token":"x","expires_in":3599}"#, 1_000).unwrap();
        assert_eq!((token.authorization.as_str(), token.renew_at_secs), ("Bearer x", 1_000 + 3_299));
        assert_eq!(AccessToken::from_answer(r#"{"access_token":"x"}"#, 0).unwrap().renew_at_secs, 3_300);
        for bad in ["", "{}", r#"{"access_token":""}"#, "{\"access_token\":\"a\\nb\"}"] {
            assert_eq!(AccessToken::from_answer(bad, 0), None, "{bad}");
        }
    }
}
