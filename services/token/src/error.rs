//! Why a token is refused.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

/// Why a token is refused, as its bearer may know it.
///
/// A token whose signature is not right gets one general answer, whatever is wrong with it;
/// the log has the reason. With a right signature its maker is one who holds a key, and the
/// answer names the claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not there, not a JWT, of an unknown key, or with a wrong algorithm or signature.
    #[error("the token is missing or does not verify; fetch a new one")]
    Invalid,
    /// The signature is right, but a claim is missing or cannot be used.
    #[error("the token's signature is right, but {0}")]
    Claim(#[from] ClaimProblem),
    /// The time of its `exp` is over.
    #[error("the token has expired; fetch a new one")]
    Expired,
    /// It was revoked after it was made.
    #[error("the token was revoked; sign in again")]
    Revoked,
    /// It is for other rooms.
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
    /// A required claim is not there.
    #[error("the claim `{claim}` is missing: it must be {expected}")]
    Missing {
        /// The claim's name.
        claim: &'static str,
        /// A value that is right.
        expected: &'static str,
    },
    /// A claim has a value that cannot be used.
    #[error("the claim `{claim}` is {found}: it must be {expected}")]
    Unusable {
        /// The claim's name.
        claim: &'static str,
        /// The value, cut to a length that fits a log line.
        found: String,
        /// A value that is right.
        expected: String,
    },
    /// `nbf` has not come.
    #[error("it is not good yet: `nbf` is {wait_secs} s ahead; compare the clocks")]
    NotYet {
        /// Seconds until it is.
        wait_secs: u64,
    },
}

/// Why no key vouches for a token. For the log and for `barrage token check` alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// There is no token.
    #[error("there is no token")]
    Missing,
    /// Too long to be looked at.
    #[error("it is {len} bytes long, more than {max}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// Greatest length in bytes.
        max: usize,
    },
    /// Not three parts of base64url, or no JSON header.
    #[error("it is no JWT: {0}")]
    NotAJwt(&'static str),
    /// No key has the header's `kid`.
    #[error("its key id (kid) {kid} is unknown; the keys are {known}")]
    UnknownKey {
        /// The header's, escaped and cut.
        kid: String,
        /// The ids of the keys.
        known: String,
    },
    /// The algorithm is not the key's.
    #[error("algorithm {algorithm} is not allowed; the keys take {allowed}")]
    Algorithm {
        /// The header's, escaped and cut.
        algorithm: String,
        /// The algorithms of the keys that the `kid` leaves.
        allowed: String,
    },
    /// A signature that no key made.
    #[error("the signature does not match (tried: {tried})")]
    Mismatch {
        /// The ids of the keys that were tried.
        tried: String,
    },
}
