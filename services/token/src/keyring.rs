//! Keys, minting and verifying.

use std::path::PathBuf;

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Claims, Identity, KeyConfig, TokenConfig, crypto};

/// Longest token looked at, in bytes; a longer one is refused unread.
const TOKEN_BYTES_MAX: usize = 4096;
/// HS256 secrets below this length are refused at start.
const SECRET_BYTES_MIN: usize = 32;

/// Why keys could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A key file could not be read.
    #[error("key file {path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key file holds something else.
    #[error("key {id}: {reason}")]
    Invalid {
        /// Which key.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing can sign.
    #[error("no key that can sign is configured")]
    NoSigningKey,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not there, not a JWT, wrong signature, algorithm, audience or claims.
    #[error("the token is missing or does not verify; fetch a new one")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired; fetch a new one")]
    Expired,
    /// It is for other rooms.
    #[error("the token is for another room")]
    WrongRoom,
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Refusal {
        let code = match error {
            TokenError::Invalid => Code::Unauthorized,
            TokenError::Expired => Code::TokenExpired,
            TokenError::WrongRoom => Code::WrongRoom,
        };
        Refusal::new(code, error.to_string())
    }
}

pub(crate) struct Key {
    id: String,
    verify: DecodingKey,
    for_tokens: Validation,
    for_tickets: Validation,
    sign: Option<EncodingKey>,
    algorithm: Algorithm,
}

impl Key {
    fn for_tokens(&self) -> &Validation {
        &self.for_tokens
    }

    pub(crate) fn for_tickets(&self) -> &Validation {
        &self.for_tickets
    }
}

/// All keys of a process. Never printed.
pub struct Keyring {
    keys: Vec<Key>,
    audience: String,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// Reads every key that the configuration names.
    pub fn load(config: &TokenConfig) -> Result<Self, KeyringError> {
        let keys = config.keys.iter().map(|key| load_key(key, config)).collect::<Result<_, _>>()?;
        Ok(Keyring { keys, audience: config.audience.clone() })
    }

    /// A ring of one HS256 secret.
    pub fn from_secret(secret: &[u8], config: &TokenConfig) -> Result<Self, KeyringError> {
        let key = hs256("local".into(), secret, config)?;
        Ok(Keyring { keys: vec![key], audience: config.audience.clone() })
    }

    /// Signs claims with the first key that can; sets the audience.
    pub fn mint(&self, mut claims: Claims) -> Result<String, KeyringError> {
        claims.aud.clone_from(&self.audience);
        self.sign(&claims)
    }

    /// Whether any key can sign.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.keys.iter().any(|key| key.sign.is_some())
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyringError> {
        let signer = self.keys.iter().find_map(|key| key.sign.as_ref().map(|sign| (key, sign)));
        let (key, sign) = signer.ok_or(KeyringError::NoSigningKey)?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(key.algorithm) };
        jsonwebtoken::encode(&header, claims, sign)
            .map_err(|error| KeyringError::Invalid { id: key.id.clone(), reason: error.to_string() })
    }

    pub(crate) fn ticket_audience(&self) -> String {
        ticket_audience(&self.audience)
    }

    /// Verifies a token for any room.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        self.open(token, Key::for_tokens).map(identity)
    }

    /// What a JWT says, if a key signed it for this purpose.
    pub(crate) fn open<C: DeserializeOwned>(
        &self,
        token: &str,
        purpose: fn(&Key) -> &Validation,
    ) -> Result<C, TokenError> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let mut refusal = TokenError::Invalid;
        for key in &self.keys {
            if header.kid.as_ref().is_some_and(|kid| *kid != key.id) || header.alg != key.algorithm {
                continue;
            }
            match jsonwebtoken::decode::<C>(token, &key.verify, purpose(key)) {
                Ok(data) => return Ok(data.claims),
                Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                    refusal = TokenError::Expired
                }
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Verifies a token for one room.
    pub fn verify_for(&self, token: &str, room: &RoomId) -> Result<Identity, TokenError> {
        let identity = self.verify(token)?;
        if identity.rooms.contain(room) { Ok(identity) } else { Err(TokenError::WrongRoom) }
    }
}

fn identity(claims: Claims) -> Identity {
    Identity {
        name: claims.name.unwrap_or_else(|| claims.sub.to_string()),
        user: claims.sub,
        role: claims.role,
        rooms: claims.rooms,
        expires_at_secs: claims.exp,
    }
}

fn ticket_audience(audience: &str) -> String {
    format!("{audience}/ticket")
}

/// A ticket's times are in milliseconds and in claims of its own.
fn ticket_validation(algorithm: Algorithm, config: &TokenConfig) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[ticket_audience(&config.audience)]);
    validation.set_required_spec_claims(&["aud"]);
    validation.validate_exp = false;
    validation
}

fn token_validation(algorithm: Algorithm, config: &TokenConfig) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[&config.audience]);
    validation.set_required_spec_claims(&["exp", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = config.leeway_secs.min(60);
    validation
}

fn load_key(key: &KeyConfig, config: &TokenConfig) -> Result<Key, KeyringError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| KeyringError::Read { path: path.clone(), source })
    };
    crypto::install();
    match key {
        KeyConfig::Hs256 { id, secret_file } => hs256(id.clone(), &read(secret_file)?, config),
        KeyConfig::Eddsa { id, public_key_file, private_key_file } => {
            let invalid = |error: jsonwebtoken::errors::Error| KeyringError::Invalid {
                id: id.clone(),
                reason: error.to_string(),
            };
            let verify = DecodingKey::from_ed_pem(&read(public_key_file)?).map_err(invalid)?;
            let sign = match private_key_file {
                Some(path) => Some(EncodingKey::from_ed_pem(&read(path)?).map_err(invalid)?),
                None => None,
            };
            let algorithm = Algorithm::EdDSA;
            Ok(Key {
                id: id.clone(),
                verify,
                for_tokens: token_validation(algorithm, config),
                for_tickets: ticket_validation(algorithm, config),
                sign,
                algorithm,
            })
        }
    }
}

fn hs256(id: String, secret: &[u8], config: &TokenConfig) -> Result<Key, KeyringError> {
    crypto::install();
    let secret = secret.trim_ascii();
    if secret.len() < SECRET_BYTES_MIN {
        let reason = format!("an HS256 secret needs at least {SECRET_BYTES_MIN} bytes");
        return Err(KeyringError::Invalid { id, reason });
    }
    let algorithm = Algorithm::HS256;
    let invalid = |error: jsonwebtoken::errors::Error| KeyringError::Invalid {
        id: id.clone(),
        reason: error.to_string(),
    };
    let verify = DecodingKey::from_secret(secret).map_err(invalid)?;
    let sign = Some(EncodingKey::from_secret(secret).map_err(invalid)?);
    Ok(Key {
        id,
        verify,
        for_tokens: token_validation(algorithm, config),
        for_tickets: ticket_validation(algorithm, config),
        sign,
        algorithm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Rooms};
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;

    fn ring(secret: &str) -> Keyring {
        Keyring::from_secret(secret.as_bytes(), &TokenConfig::default()).unwrap()
    }

    fn claims(exp: u64) -> Claims {
        Claims {
            sub: "u1".parse().unwrap(),
            name: None,
            rooms: Rooms(vec!["demo".into()]),
            role: Role::Viewer,
            exp,
            nbf: None,
            aud: String::new(),
        }
    }

    const FAR: u64 = 4_000_000_000;
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn good_for_its_room_alone() {
        let ring = ring(SECRET);
        let token = ring.mint(claims(FAR)).unwrap();
        assert_eq!(ring.verify_for(&token, &"demo".parse().unwrap()).unwrap().user.as_str(), "u1");
        assert_eq!(ring.verify_for(&token, &"other".parse().unwrap()), Err(TokenError::WrongRoom));
    }

    #[test]
    fn forged_expired_and_unsigned_are_refused() {
        let ring_a = ring(SECRET);
        let token = ring_a.mint(claims(FAR)).unwrap();
        assert_eq!(ring("another secret of thirty-two byt").verify(&token), Err(TokenError::Invalid));
        assert_eq!(ring_a.verify(&ring_a.mint(claims(1_000_000)).unwrap()), Err(TokenError::Expired));
        let payload = token.split('.').nth(1).unwrap();
        let none = B64.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for bad in
            [format!("{none}.{payload}."), format!("{none}.{payload}"), "x".repeat(5000), String::new()]
        {
            assert_eq!(ring_a.verify(&bad), Err(TokenError::Invalid));
        }
        let other_audience = TokenConfig { audience: "elsewhere".into(), ..TokenConfig::default() };
        let elsewhere = Keyring::from_secret(SECRET.as_bytes(), &other_audience).unwrap();
        assert_eq!(ring_a.verify(&elsewhere.mint(claims(FAR)).unwrap()), Err(TokenError::Invalid));
    }

    #[test]
    fn an_ed25519_key_verifies_and_is_not_taken_for_an_hmac_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("private.pem"), dir.path().join("public.pem"));
        std::fs::write(&private, include_str!("../tests/ed25519-private.pem")).unwrap();
        std::fs::write(&public, include_str!("../tests/ed25519-public.pem")).unwrap();
        let key = KeyConfig::Eddsa {
            id: "ed".into(),
            public_key_file: public.clone(),
            private_key_file: Some(private),
        };
        let config = TokenConfig { keys: vec![key], ..TokenConfig::default() };
        let ring_ed = Keyring::load(&config).unwrap();
        assert!(ring_ed.verify(&ring_ed.mint(claims(FAR)).unwrap()).is_ok());
        let confused =
            Keyring::from_secret(&std::fs::read(&public).unwrap(), &TokenConfig::default()).unwrap();
        assert_eq!(ring_ed.verify(&confused.mint(claims(FAR)).unwrap()), Err(TokenError::Invalid));
    }
}
