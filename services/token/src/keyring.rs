//! The keys of a process: minting and verifying of tokens and tickets.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use barrage_protocol::RoomId;
use jsonwebtoken::Header;
use jsonwebtoken::errors::ErrorKind;
use prometheus::Registry;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::claims::{Claims, Identity};
use crate::config::TokenConfig;
use crate::error::{ClaimProblem, Refused, SignatureProblem, TokenError};
use crate::explain::{self, Explanation};
use crate::jwt::{Key, KeyringError, Payload, PayloadError, Rules, cut, header, ticket_audience};
use crate::metrics::{TokenMetrics, WRONG_ROOM};
use crate::refusal_log::RefusalLog;
use crate::revocations::Revocations;
use crate::ticket::{Ticket, TicketClaims, TicketError};

/// Maximum bytes of a token. A longer one is refused unread.
const TOKEN_BYTES_MAX: usize = 4096;
/// Maximum allowed clock difference. A larger configured value counts as this one.
const LEEWAY_SECS_MAX: u64 = 60;

/// All keys of a process, and the revoked tokens. Both can be replaced while the process runs. The
/// `Debug` output has the ids of the keys alone.
pub struct Keyring {
    ring: ArcSwap<Ring>,
    revocations: ArcSwap<Revocations>,
    log: RefusalLog,
    metrics: TokenMetrics,
}

/// The keys and rules of a configuration.
pub(crate) struct Ring {
    keys: Vec<Key>,
    audience: String,
    pub(crate) leeway_secs: u64,
}

/// Claims with the time at which they are signed.
#[derive(Serialize)]
struct Minted {
    #[serde(flatten)]
    claims: Claims,
    iat: u64,
}

/// The id of the key that signed a token, and the caller that the token names.
type Examined = (Option<String>, Result<Identity, Refused>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ring.load().keys.iter().map(|key| &key.id)).finish()
    }
}

impl Keyring {
    /// Reads every key that the configuration names.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold a usable key.
    pub fn load(config: &TokenConfig) -> Result<Self, KeyringError> {
        let load = |key| Key::load(key, &config.audience);
        let keys = config.keys.iter().map(load).collect::<Result<_, _>>()?;
        Ok(Keyring::new(keys, config))
    }

    /// Makes a keyring of one HS256 secret. Its tokens have no `kid`, so that a server accepts them
    /// under any id of the same secret.
    ///
    /// # Errors
    /// When the secret is shorter than 32 bytes.
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
            metrics: TokenMetrics::new(),
        }
    }

    /// Registers the counter of refused tokens on `registry`.
    ///
    /// # Errors
    /// When `registry` has a metric of this name already.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        self.metrics.register(registry)
    }

    /// Takes the keys, the audience and the leeway of another keyring. Calls in progress end with the
    /// keys with which they started. Revocations stay.
    pub fn replace_keys(&self, other: &Keyring) {
        self.ring.store(other.ring.load_full());
    }

    /// Replaces the set of revoked tokens. Each verification from now on uses the new set.
    pub fn set_revocations(&self, revocations: Revocations) {
        self.revocations.store(Arc::new(revocations));
    }

    /// Whether the token of a caller that was verified before is revoked now.
    #[must_use]
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        self.revocations.load().refuse(&identity.user, identity.issued_at_secs)
    }

    /// Mints a token with the first key that can sign. Sets the audience, and `iat` to now.
    ///
    /// # Errors
    /// When no key can sign.
    pub fn mint(&self, claims: Claims) -> Result<String, KeyringError> {
        self.mint_at(claims, unix_secs())
    }

    /// Mints a token like [`Keyring::mint`], with a given `iat` in Unix seconds.
    ///
    /// # Errors
    /// When no key can sign.
    pub fn mint_at(&self, mut claims: Claims, iat: u64) -> Result<String, KeyringError> {
        claims.aud.clone_from(&self.ring.load().audience);
        self.sign(&Minted { claims, iat })
    }

    /// Returns the seconds after a token's end for which it is still accepted.
    #[must_use]
    pub fn leeway_secs(&self) -> u64 {
        self.ring.load().leeway_secs
    }

    /// Whether any key can sign, so that tokens can be minted.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.ring.load().keys.iter().any(|key| key.sign.is_some())
    }

    /// Returns the ids of the keys, in the order of the configuration.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.ring.load().keys.iter().map(|key| key.id.clone()).collect()
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, KeyringError> {
        let ring = self.ring.load();
        let signer = ring.keys.iter().find_map(|key| key.sign.as_ref().map(|sign| (key, sign)));
        let (key, sign) = signer.ok_or(KeyringError::NoSigningKey)?;
        let kid = key.is_named.then(|| key.id.clone());
        let header = Header { kid, ..Header::new(key.algorithm) };
        jsonwebtoken::encode(&header, claims, sign)
            .map_err(|error| KeyringError::Invalid { id: key.id.clone(), reason: error.to_string() })
    }

    /// Verifies a token for any room. A refusal is counted and logged with its reason, in at most 10
    /// lines in 10 s.
    ///
    /// # Errors
    /// Why the token is refused, as its bearer may learn it.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let (_, outcome) = self.examine(token, unix_secs());
        outcome.map_err(|refused| {
            self.metrics.refused(refused.reason());
            self.log.refused(&refused);
            refused.into()
        })
    }

    /// Verifies a token for one room.
    ///
    /// # Errors
    /// Why the token is refused, as its bearer may learn it.
    pub fn verify_for(&self, token: &str, room: &RoomId) -> Result<Identity, TokenError> {
        let identity = self.verify(token)?;
        self.check_room(&identity, room)?;
        Ok(identity)
    }

    /// Refuses a verified token that does not name a room.
    pub(crate) fn check_room(&self, identity: &Identity, room: &RoomId) -> Result<(), TokenError> {
        if identity.rooms.contain(room) {
            return Ok(());
        }
        self.metrics.refused(WRONG_ROOM);
        self.log.refused(&TokenError::WrongRoom);
        Err(TokenError::WrongRoom)
    }

    /// Returns the keys and rules in force.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }

    /// Whether these keys and rules are in force.
    pub(crate) fn has_ring(&self, ring: &Arc<Ring>) -> bool {
        Arc::ptr_eq(&self.ring.load(), ring)
    }

    pub(crate) fn examine(&self, token: &str, now_secs: u64) -> Examined {
        let ring = self.ring.load();
        let opened = match ring.open_own(token) {
            Some(opened) => Ok(opened),
            None => ring.open::<Payload>(token, |key| &key.for_tokens),
        };
        match opened {
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

    /// Explains a token, for a holder of the keys.
    #[must_use]
    pub fn explain(&self, token: &str) -> Explanation {
        let (key, outcome) = self.examine(token, unix_secs());
        explain::explain(token, &self.ring.load().keys, key, outcome)
    }

    /// Signs a ticket with the first key that can sign.
    ///
    /// # Errors
    /// When no key can sign.
    pub fn sign_ticket(&self, ticket: Ticket) -> Result<String, KeyringError> {
        let aud = ticket_audience(&self.ring.load().audience);
        self.sign(&TicketClaims { aud, ticket })
    }

    /// Verifies a ticket for a room, at this Unix time.
    ///
    /// # Errors
    /// Why the ticket is refused.
    pub fn check_ticket(&self, text: &str, room: &RoomId, now_ms: u64) -> Result<Ticket, TicketError> {
        let ring = self.ring.load();
        let opened = ring.open::<TicketClaims>(text, |key| &key.for_tickets);
        let (_, TicketClaims { ticket, .. }) = opened.map_err(|_| TicketError::Forged)?;
        ticket.check(room, now_ms)
    }
}

/// Why the claims of a JWT cannot be read.
enum OpenError {
    Signature(SignatureProblem),
    /// The key with this id signed the JWT, but the payload cannot be read.
    Payload(String),
}

impl Ring {
    /// Returns the claims of a token whose header is that of the project's own tokens, without parsing it.
    /// `None` for all others, and for each that is refused: [`Ring::open`] says why.
    fn open_own(&self, token: &str) -> Option<(&Key, Payload)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (key, payload) = self.keys.iter().find_map(|key| Some((key, key.open_own(token)?)))?;
        Some((key, serde_json::from_slice(&payload).ok()?))
    }

    /// Returns the claims of a JWT, and the key that signed it for this purpose.
    fn open<C: DeserializeOwned>(
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
    barrage_clock::since_unix_epoch().as_secs()
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
