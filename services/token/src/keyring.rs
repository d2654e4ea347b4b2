//! The keys of a process: minting and verifying.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use barrage_protocol::RoomId;
use jsonwebtoken::Header;
use jsonwebtoken::errors::ErrorKind;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ClaimProblem, SignatureProblem, TokenError};
use crate::key::{Key, KeyringError, ticket_audience};
use crate::payload::{Payload, PayloadError, Rules, cut};
use crate::refusal_log::RefusalLog;
use crate::revocations::Revocations;
use crate::{Claims, Identity, TokenConfig, header};

/// Longest token looked at, in bytes; a longer one is refused unread.
pub(crate) const TOKEN_BYTES_MAX: usize = 4096;
/// Greatest allowance for clocks that differ, whatever the configuration says.
const LEEWAY_SECS_MAX: u64 = 60;

/// All keys of a process, and the tokens that are revoked. Both can be replaced while it runs.
/// Its `Debug` shows the ids of the keys alone.
pub struct Keyring {
    ring: ArcSwap<Ring>,
    revocations: ArcSwap<Revocations>,
    log: RefusalLog,
}

/// What a configuration says, with its keys.
pub(crate) struct Ring {
    pub(crate) keys: Vec<Key>,
    audience: String,
    leeway_secs: u64,
}

/// Claims with the time at which they are signed.
#[derive(Serialize)]
struct Minted {
    #[serde(flatten)]
    claims: Claims,
    iat: u64,
}

/// Why a token is refused, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Signature(#[from] SignatureProblem),
    #[error(transparent)]
    Claim(#[from] ClaimProblem),
    #[error("it expired {since_secs} s ago")]
    Expired { since_secs: u64 },
    #[error("it was revoked")]
    Revoked,
}

impl From<Refused> for TokenError {
    fn from(refused: Refused) -> TokenError {
        match refused {
            Refused::Signature(_) => TokenError::Invalid,
            Refused::Claim(problem) => TokenError::Claim(problem),
            Refused::Expired { .. } => TokenError::Expired,
            Refused::Revoked => TokenError::Revoked,
        }
    }
}

/// The key that signed a token, and whom the token names.
pub(crate) type Examined = (Option<String>, Result<Identity, Refused>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ring.load().keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// Reads every key that the configuration names.
    pub fn load(config: &TokenConfig) -> Result<Self, KeyringError> {
        let load = |key| Key::load(key, &config.audience);
        let keys = config.keys.iter().map(load).collect::<Result<_, _>>()?;
        Ok(Keyring::new(keys, config))
    }

    /// A ring of one HS256 secret. Its tokens have no `kid`, so that a server accepts them
    /// whatever id it has for the same secret.
    pub fn from_secret(secret: &[u8], config: &TokenConfig) -> Result<Self, KeyringError> {
        let key = Key::hs256("local".into(), secret, &config.audience)?;
        Ok(Keyring::new(vec![key], config))
    }

    fn new(keys: Vec<Key>, config: &TokenConfig) -> Self {
        let (audience, leeway_secs) = (config.audience.clone(), config.leeway_secs.min(LEEWAY_SECS_MAX));
        Keyring {
            ring: ArcSwap::from_pointee(Ring { keys, audience, leeway_secs }),
            revocations: ArcSwap::default(),
            log: RefusalLog::default(),
        }
    }

    /// Takes the keys, the audience and the leeway of another ring. Calls under way end with
    /// those that they began with. Revocations stay.
    pub fn replace_keys(&self, other: &Keyring) {
        self.ring.store(other.ring.load_full());
    }

    /// Refuses these tokens from now on, and no longer those of the list before.
    pub fn set_revocations(&self, revocations: Revocations) {
        self.revocations.store(Arc::new(revocations));
    }

    /// Whether the token of a caller that was let in before is revoked now.
    #[must_use]
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        self.revocations.load().refuse(&identity.user, identity.issued_at_secs)
    }

    /// Signs claims with the first key that can; sets the audience, and `iat` to now.
    pub fn mint(&self, claims: Claims) -> Result<String, KeyringError> {
        self.mint_at(claims, unix_secs())
    }

    /// As [`Keyring::mint`], with a given `iat` in Unix seconds.
    pub fn mint_at(&self, mut claims: Claims, iat: u64) -> Result<String, KeyringError> {
        claims.aud.clone_from(&self.ring.load().audience);
        self.sign(&Minted { claims, iat })
    }

    /// Seconds after a token's end for which it is still accepted.
    #[must_use]
    pub fn leeway_secs(&self) -> u64 {
        self.ring.load().leeway_secs
    }

    /// Whether any key can sign.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.ring.load().keys.iter().any(|key| key.sign.is_some())
    }

    /// The ids of the keys, in the order of the configuration.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.ring.load().keys.iter().map(|key| key.id.clone()).collect()
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyringError> {
        let ring = self.ring.load();
        let signer = ring.keys.iter().find_map(|key| key.sign.as_ref().map(|sign| (key, sign)));
        let (key, sign) = signer.ok_or(KeyringError::NoSigningKey)?;
        let kid = key.is_named.then(|| key.id.clone());
        let header = Header { kid, ..Header::new(key.algorithm) };
        jsonwebtoken::encode(&header, claims, sign)
            .map_err(|error| KeyringError::Invalid { id: key.id.clone(), reason: error.to_string() })
    }

    pub(crate) fn ticket_audience(&self) -> String {
        ticket_audience(&self.ring.load().audience)
    }

    /// Verifies a token for any room. A refusal is logged with its reason (at most 10 lines
    /// in 10 s).
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let (_, outcome) = self.examine(token, unix_secs());
        outcome.map_err(|refused| {
            self.log.refused(&refused);
            refused.into()
        })
    }

    /// Verifies a token for one room.
    pub fn verify_for(&self, token: &str, room: &RoomId) -> Result<Identity, TokenError> {
        let identity = self.verify(token)?;
        if identity.rooms.contain(room) {
            return Ok(identity);
        }
        self.log.refused(&TokenError::WrongRoom);
        Err(TokenError::WrongRoom)
    }

    pub(crate) fn examine(&self, token: &str, now_secs: u64) -> Examined {
        let ring = self.ring.load();
        match ring.open::<Payload>(token, |key| &key.for_tokens) {
            Err(OpenError::Signature(problem)) => (None, Err(problem.into())),
            Err(OpenError::Payload(key)) => (Some(key), Err(ClaimProblem::NotAnObject.into())),
            Ok((key, payload)) => {
                let rules = Rules { audience: &ring.audience, leeway_secs: ring.leeway_secs, now_secs };
                let identity = payload.check(&rules).map_err(|error| match error {
                    PayloadError::Claim(problem) => Refused::Claim(problem),
                    PayloadError::Expired { since_secs } => Refused::Expired { since_secs },
                });
                let identity = identity.and_then(|identity| match self.is_revoked(&identity) {
                    true => Err(Refused::Revoked),
                    false => Ok(identity),
                });
                (Some(key.id.clone()), identity)
            }
        }
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }
}

/// Why a JWT was not opened.
pub(crate) enum OpenError {
    Signature(SignatureProblem),
    /// The key with this id signed it, but the payload cannot be read.
    Payload(String),
}

impl Ring {
    /// What a JWT says, and the key that signed it, if one did for this purpose.
    pub(crate) fn open<C: DeserializeOwned>(
        &self,
        token: &str,
        purpose: fn(&Key) -> &jsonwebtoken::Validation,
    ) -> Result<(&Key, C), OpenError> {
        let refuse = |problem| Err(OpenError::Signature(problem));
        if token.is_empty() {
            return refuse(SignatureProblem::Missing);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return refuse(SignatureProblem::TooLong { len: token.len(), max: TOKEN_BYTES_MAX });
        }
        let Ok(header) = jsonwebtoken::decode_header(token) else {
            return refuse(header::problem(token, &self.keys));
        };
        let named = |key: &&Key| header.kid.as_ref().is_none_or(|kid| *kid == key.id);
        let mut tried = Vec::new();
        for key in self.keys.iter().filter(named).filter(|key| key.algorithm == header.alg) {
            match jsonwebtoken::decode::<C>(token, &key.verify, purpose(key)) {
                Ok(data) => return Ok((key, data.claims)),
                Err(error) if matches!(error.kind(), ErrorKind::Json(_) | ErrorKind::Utf8(_)) => {
                    return Err(OpenError::Payload(key.id.clone()));
                }
                Err(_) => tried.push(key.id.as_str()),
            }
        }
        if !tried.is_empty() {
            return refuse(SignatureProblem::Mismatch { tried: tried.join(", ") });
        }
        let candidates: Vec<_> = self.keys.iter().filter(named).collect();
        refuse(match header.kid {
            Some(kid) if candidates.is_empty() => header::unknown_key(&kid, &self.keys),
            _ => header::wrong_algorithm(&cut(&format!("{:?}", header.alg)), &candidates),
        })
    }
}

pub(crate) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
