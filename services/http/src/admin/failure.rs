//! Refused admin calls: counted, logged and limited by address.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use barrage_counters::LocalQuotaMetrics;
use barrage_counters::{LocalQuota, LocalQuotaConfig, QuotaKey, Subject};
use barrage_flow::{Rate, Rule, Verdict};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_token::TokenError;
use http::Method;
use prometheus::{IntCounterVec, Opts, Registry};

use crate::answer::error::ApiError;
use crate::answer::rate_limited;
use crate::request::ClientAddr;

/// Refused calls of one address that are logged and answered with their reason, each minute.
/// Further ones get 429 and no log line. Calls with a valid token are never limited: otherwise
/// another client behind an operator's address could lock the operator out.
const FAILURES_PER_MINUTE: u32 = 10;
const WINDOW_SECS: u64 = 60;
/// Maximum addresses that are counted. At the bound the longest unused one is forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Why the gate refused an admin call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The call has no usable `Authorization: Bearer` header.
    Missing,
    /// The token does not verify, or was revoked.
    Token(TokenError),
    /// The token has another role than admin.
    Role,
    /// The token is not for the room of the call.
    Room,
    /// The token is for some rooms, and the call is for the whole platform.
    Platform,
}

/// All values of the metric's label. Each exists from the start.
const REASONS: [&str; 7] = ["missing", "invalid", "expired", "revoked", "role", "room", "limited"];

impl Failure {
    fn reason(&self) -> &'static str {
        match self {
            Failure::Missing => "missing",
            Failure::Token(TokenError::Expired) => "expired",
            Failure::Token(TokenError::Revoked) => "revoked",
            Failure::Token(_) => "invalid",
            Failure::Role => "role",
            Failure::Room | Failure::Platform => "room",
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing => Refusal::new(
                Code::Unauthorized,
                "send a token of the role admin in the header `Authorization: Bearer ...`",
            ),
            Failure::Token(error) => error.into(),
            Failure::Role => Refusal::new(Code::Forbidden, "the admin API needs a token of the role admin"),
            Failure::Room => Refusal::new(Code::WrongRoom, "the token's `rooms` do not hold this room"),
            Failure::Platform => Refusal::new(
                Code::WrongRoom,
                "this call is for the whole platform: the token's `rooms` must be [\"*\"]",
            ),
        }
    }
}

pub(super) struct Failures {
    counts: LocalQuota,
    rate: Rate,
    refused: IntCounterVec,
    origin: Instant,
}

impl Failures {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = IntCounterVec::new(
            Opts::new("barrage_http_admin_refused_total", "Admin calls refused for their token, by reason."),
            &["reason"],
        )?;
        for reason in REASONS {
            refused.with_label_values(&[reason]);
        }
        registry.register(Box::new(refused.clone()))?;
        let config = LocalQuotaConfig { keys_max: ADDRESSES_MAX, shards: 4 };
        let rate =
            Rate::new(FAILURES_PER_MINUTE, std::time::Duration::from_secs(WINDOW_SECS), FAILURES_PER_MINUTE);
        Ok(Failures {
            // A registry of its own: the process's quota has registered these names.
            counts: LocalQuota::new(&config, LocalQuotaMetrics::new(&Registry::new())?),
            rate: rate.map_err(|error| prometheus::Error::Msg(error.to_string()))?,
            refused,
            origin: barrage_clock::now(),
        })
    }

    /// Counts and logs a refused call, and returns its answer.
    pub(super) fn refuse(
        &self,
        failure: Failure,
        client: Option<ClientAddr>,
        method: &Method,
        path: &str,
    ) -> ApiError {
        let address = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddr(address)| address);
        let key = QuotaKey { purpose: "admin_failures_per_minute", subject: Subject::address(address) };
        let verdict = self.counts.decide(&key, 1, &Rule::Rate(self.rate), self.origin.elapsed());
        let reason = if verdict.is_admit() { failure.reason() } else { "limited" };
        self.refused.with_label_values(&[reason]).inc();
        if let Verdict::Refuse { .. } = verdict {
            let message = format!("too many refused calls: {FAILURES_PER_MINUTE} a minute are answered");
            return rate_limited(message, key.purpose, "address", &verdict, WINDOW_SECS * 1_000).into();
        }
        tracing::warn!(
            address = %ClientAddr(address).shortened(),
            reason,
            %method,
            path,
            "an admin call was refused"
        );
        failure.into()
    }
}
