//! Why a token is refused: for its bearer, and for the log.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

/// Why a token is refused, as its bearer learns it.
///
/// A token with a wrong signature gets one general answer, and the log has the reason. A token with
/// a right signature was made by a holder of a key, so the answer names the wrong claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is missing, is not a JWT, names an unknown key, or has a wrong algorithm or
    /// signature.
    #[error("the token is missing or does not verify; fetch a new one")]
    Invalid,
    /// The signature is right, but a claim is missing or cannot be used.
    #[error("the token's signature is right, but {0}")]
    Claim(#[from] ClaimProblem),
    /// The time in `exp` has passed by more than the leeway.
    #[error("the token has expired; fetch a new one")]
    Expired,
    /// The token was revoked after it was minted.
    #[error("the token was revoked; sign in again")]
    Revoked,
    /// The token does not name the room.
    #[error("the token is for another room")]
    WrongRoom,
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Refusal {
        let code = match error {
            TokenError::Invalid | TokenError::Claim(_) | TokenError::Revoked => Code::Unauthorized,
            TokenError::Expired => Code::TokenExpired,
            TokenError::WrongRoom => Code::WrongRoom,
        };
        Refusal::new(code, error.to_string())
    }
}

/// A claim that is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimProblem {
    /// The payload is not a JSON object.
    #[error("its claims are not a JSON object")]
    NotAnObject,
    /// A claim that every token needs is missing.
    #[error("the claim `{claim}` is missing: it must be {expected}")]
    Missing {
        /// Name of the claim in the token.
        claim: &'static str,
        /// Description of a right value, for the message.
        expected: &'static str,
    },
    /// A claim has a value that cannot be used.
    #[error("the claim `{claim}` is {found}: it must be {expected}")]
    Unusable {
        /// Name of the claim in the token.
        claim: &'static str,
        /// The value, cut to a length that fits a log line.
        found: String,
        /// Description of a right value, for the message.
        expected: String,
    },
    /// The time in `nbf` has not come.
    #[error("it is not valid yet: `nbf` is {wait_secs} s ahead; compare the clocks")]
    NotYet {
        /// Seconds until the token is valid, by this process's clock.
        wait_secs: u64,
    },
}

/// Why no key verifies a token. For the log and for `barrage token check` alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// The token is empty, so that there was nothing to verify.
    #[error("there is no token")]
    Missing,
    /// The token is too long and was not parsed.
    #[error("it is {len} bytes long, more than {max}")]
    TooLong {
        /// Length of the token that was presented, in bytes.
        len: usize,
        /// Maximum length of a token in bytes.
        max: usize,
    },
    /// The token has not three parts of base64url, or no JSON header.
    #[error("it is not a JWT: {0}")]
    NotAJwt(&'static str),
    /// No key of the process has the header's `kid`.
    #[error("its key id (kid) {kid} is unknown; the keys are {known}")]
    UnknownKey {
        /// Value in the header, escaped and cut.
        kid: String,
        /// Ids of the keys of the process.
        known: String,
    },
    /// No key with this `kid` has the header's algorithm.
    #[error("algorithm {algorithm} is not allowed; the keys take {allowed}")]
    Algorithm {
        /// Value in the header, escaped and cut.
        algorithm: String,
        /// Algorithms of the keys with this `kid`.
        allowed: String,
    },
    /// No key of the process made the signature.
    #[error("the signature does not match (tried: {tried})")]
    Mismatch {
        /// Ids of the keys that were tried.
        tried: String,
    },
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
