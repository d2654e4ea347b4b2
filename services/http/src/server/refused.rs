//! Reasons to refuse a connection before its first request.

use barrage_protocol::Code;
use barrage_protocol::code::LimitHit;

use crate::answer::error::ApiError;
use crate::config::HttpConfig;

/// Milliseconds after which the client of a refused connection may try again.
const RETRY_MS: u64 = 2_000;

/// Why a connection is refused at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The server has as many connections as `http.connections_max` allows.
    Full,
    /// The client's address has no free slot.
    Address,
    /// The clock stands before 1970: tokens and HTTP dates cannot be handled.
    Clock,
}

impl Refused {
    /// Returns the metric's label, the setting that refuses; `None` is not counted.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Refused::Full => Some("connections_max"),
            Refused::Address => Some("address_connections_max"),
            Refused::Clock => None,
        }
    }

    /// Makes the answer, with a time to come back.
    pub(super) fn error(self, config: &HttpConfig) -> ApiError {
        match self {
            Refused::Full => {
                ApiError::new(Code::Overloaded, "this server has no free connection; try another")
            }
            Refused::Address => {
                let max = config.address_connections_max;
                let rule = "address_connections_max";
                let message = format!("this address has {max} connections, which is all that {rule} admits");
                let mut error = ApiError::new(Code::RateLimited, message);
                error.0.limit =
                    Some(Box::new(LimitHit { limit: max as u64, ..LimitHit::rule(rule, "address") }));
                error
            }
            Refused::Clock => {
                ApiError::new(Code::Unavailable, "the server's clock stands before 1970; set it")
            }
        }
        .retry_after_ms(RETRY_MS)
    }
}
