//! One key, read from its files and checked for weakness.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

use super::crypto::{self, SignatureCheck};
use crate::config::KeyConfig;

/// Minimum length of HS256 secrets. Shorter ones are refused at start.
const SECRET_BYTES_MIN: usize = 32;
/// Minimum number of different bytes of a secret. A repeated word or letter has fewer; 16 random
/// bytes in hexadecimal have fewer once in 10^9 times.
const SECRET_DISTINCT_MIN: usize = 8;
/// Advice in refusals of a secret that is short or easy to guess.
const HOW_TO_MAKE: &str = "make one with `head -c 32 /dev/urandom | base64 > FILE`";
/// Maximum bytes of a key file. A larger one is refused.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a configured key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A key file could not be read.
    #[error("key file {path} cannot be read")]
    Read {
        /// Path of the key file, as the configuration has it.
        path: std::path::PathBuf,
        /// Error of the system, or the number of bytes of a file that is too large.
        #[source]
        source: std::io::Error,
    },
    /// A key file does not hold a usable key.
    #[error("key {id}: {reason}")]
    Invalid {
        /// Id of the key in the configuration.
        id: String,
        /// Description of what is wrong with the key.
        reason: String,
    },
    /// No key of the process has a private part.
    #[error("no key that can sign is configured")]
    NoSigningKey,
}

/// A key that verifies, and perhaps signs.
pub(crate) struct Key {
    pub(crate) id: String,
    /// Whether minted tokens name the key (`kid`). A secret without a configuration is not named,
    /// because the server may know it by another id.
    pub(crate) is_named: bool,
    pub(crate) algorithm: Algorithm,
    pub(crate) verify: DecodingKey,
    pub(crate) sign: Option<EncodingKey>,
    /// Checks the signature alone. The claims are checked after it, one by one.
    pub(crate) for_tokens: Validation,
    pub(crate) for_tickets: Validation,
    /// Headers of the tokens that are minted with this key, as they travel: with its id, and without.
    own_headers: [String; 2],
    check: Option<SignatureCheck>,
}

impl Key {
    /// Returns the payload of a token that has a header of this key's own tokens and its signature. `None`
    /// for all other tokens, which may be right as well: their headers are to be parsed.
    pub(crate) fn open_own(&self, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if !self.own_headers.iter().any(|own| own == header) {
            return None;
        }
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.check.as_ref()?.is_signed(signed.as_bytes(), &signature) {
            return None;
        }
        BASE64_URL_SAFE_NO_PAD.decode(payload).ok()
    }

    /// Reads the files of a key. An HS256 secret that is easy to guess is refused.
    pub(crate) fn load(config: &KeyConfig, audience: &str) -> Result<Key, KeyringError> {
        crypto::install();
        match config {
            KeyConfig::Hs256 { id, secret_file } => {
                let secret = read(secret_file)?;
                refuse_weak(id, secret.trim_ascii())?;
                let key = Key::hs256(id.clone(), &secret, audience)?;
                Ok(Key { is_named: true, ..key })
            }
            KeyConfig::Eddsa { id, public_key_file, private_key_file } => {
                let invalid = |path: &Path| {
                    let (id, path) = (id.clone(), path.display().to_string());
                    move |error: jsonwebtoken::errors::Error| KeyringError::Invalid {
                        id,
                        reason: format!("{path} is not an Ed25519 key in PEM: {error}"),
                    }
                };
                let verify = DecodingKey::from_ed_pem(&read(public_key_file)?);
                let verify = verify.map_err(invalid(public_key_file))?;
                let sign = match private_key_file {
                    Some(path) => Some(EncodingKey::from_ed_pem(&read(path)?).map_err(invalid(path))?),
                    None => None,
                };
                let key = Key::new(id.clone(), Algorithm::EdDSA, verify, sign, audience);
                Ok(Key { is_named: true, ..key })
            }
        }
    }

    /// Makes a key of a secret, without the blanks and line ends on both sides.
    pub(crate) fn hs256(id: String, secret: &[u8], audience: &str) -> Result<Key, KeyringError> {
        crypto::install();
        let secret = secret.trim_ascii();
        if secret.len() < SECRET_BYTES_MIN {
            let reason = format!(
                "an HS256 secret needs at least {SECRET_BYTES_MIN} bytes, and this one has {}; {}",
                secret.len(),
                HOW_TO_MAKE
            );
            return Err(KeyringError::Invalid { id, reason });
        }
        let invalid = |error: jsonwebtoken::errors::Error| KeyringError::Invalid {
            id: id.clone(),
            reason: error.to_string(),
        };
        let verify = DecodingKey::from_secret(secret).map_err(invalid)?;
        let sign = Some(EncodingKey::from_secret(secret).map_err(invalid)?);
        Ok(Key::new(id, Algorithm::HS256, verify, sign, audience))
    }

    fn new(
        id: String,
        algorithm: Algorithm,
        verify: DecodingKey,
        sign: Option<EncodingKey>,
        audience: &str,
    ) -> Key {
        let for_tokens = signature_alone(algorithm);
        let mut for_tickets = signature_alone(algorithm);
        // A ticket has its times in milliseconds, in claims of its own.
        for_tickets.set_audience(&[ticket_audience(audience)]);
        for_tickets.set_required_spec_claims(&["aud"]);
        for_tickets.validate_aud = true;
        let header = Header::new(algorithm);
        let named = Header { kid: Some(id.clone()), ..header.clone() };
        let own_headers = [header, named].map(|header| {
            let json = serde_json::to_vec(&header).expect("headers are plain data");
            BASE64_URL_SAFE_NO_PAD.encode(json)
        });
        let check = SignatureCheck::of(algorithm, &verify);
        Key { id, is_named: false, algorithm, verify, sign, for_tokens, for_tickets, own_headers, check }
    }
}

pub(crate) fn ticket_audience(audience: &str) -> String {
    format!("{audience}/ticket")
}

fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn read(path: &Path) -> Result<Vec<u8>, KeyringError> {
    let failed = |source| KeyringError::Read { path: path.to_owned(), source };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    if len > FILE_BYTES_MAX {
        let source = std::io::Error::other(format!("{len} bytes are too many for a key"));
        return Err(failed(source));
    }
    std::fs::read(path).map_err(failed)
}

fn refuse_weak(id: &str, secret: &[u8]) -> Result<(), KeyringError> {
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    if secret.len() < SECRET_BYTES_MIN || distinct >= SECRET_DISTINCT_MIN {
        return Ok(());
    }
    let reason = format!(
        "the secret has {distinct} different bytes, so it can be guessed (at least {SECRET_DISTINCT_MIN} are \
         needed); {}",
        HOW_TO_MAKE
    );
    Err(KeyringError::Invalid { id: id.to_owned(), reason })
}
