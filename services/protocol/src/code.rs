//! Each refusal has one code. The code decides the HTTP status, the WebSocket close code and the next
//! action of a client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Action of a client after a refusal; the range of the close code gives the same advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// 4000-4099: do not retry with the same request or token.
    Never,
    /// 4100-4199: retry with backoff and full jitter.
    Backoff,
    /// 4200-4299: reconnect at once and resume after the last position received.
    Now,
    /// 4300-4399: reconnect at the time and endpoint of the frame before.
    Named,
}

impl Advice {
    /// Returns the advice for a WebSocket close code of any sender; unknown codes mean backoff.
    #[must_use]
    pub const fn of_close(close: u16) -> Advice {
        match close {
            4000..=4099 => Advice::Never,
            4200..=4299 => Advice::Now,
            4300..=4399 => Advice::Named,
            _ => Advice::Backoff,
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident $label:literal $status:literal $close:literal;)+) => {
        /// Stable error code of an HTTP refusal, an error frame or a close frame.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// Returns the stable name on the wire and in metric labels.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Code::$variant => $label,)+ }
            }

            /// Returns the HTTP status of a refusal.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)+ }
            }

            /// Returns the close code of a WebSocket.
            #[must_use]
            pub const fn close(self) -> u16 {
                match self { $(Code::$variant => $close,)+ }
            }

            /// Documentation of the code, with a blank before each line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

codes! {
    /// The endpoint does not accept the request.
    BadRequest "bad_request" 400 4000;
    /// The frame is no JSON object of a known type.
    BadFrame "bad_frame" 400 4001;
    /// The frame or body exceeds its maximum size.
    TooLarge "too_large" 413 4002;
    /// The text is not UTF-8.
    InvalidUtf8 "invalid_utf8" 400 4003;
    /// The frame is binary, and a text frame is required.
    UnsupportedFrame "unsupported_frame" 400 4004;
    /// Pings or pongs exceed the allowed rate.
    ControlFlood "control_flood" 429 4005;
    /// The frame is unmasked, fragmented or otherwise violates RFC 6455 or this protocol.
    ProtocolViolation "protocol_violation" 400 4006;
    /// The text cannot be shown: it is empty, too long, or has only control characters.
    BadText "bad_text" 422 4007;
    /// The token is missing or does not verify.
    Unauthorized "unauthorized" 401 4010;
    /// The token has expired; fetch a new one.
    TokenExpired "token_expired" 401 4011;
    /// The token is for other rooms.
    WrongRoom "wrong_room" 403 4012;
    /// The role of the user does not permit the request.
    Forbidden "forbidden" 403 4013;
    /// No room with this id exists.
    UnknownRoom "unknown_room" 404 4014;
    /// The room is closed and takes no posts.
    RoomClosed "room_closed" 410 4015;
    /// A moderator removed this user.
    Kicked "kicked" 403 4016;
    /// The user may not post in the room until the named time.
    Muted "muted" 403 4017;
    /// Only the host and moderators may post now.
    RoomMuted "room_muted" 403 4018;
    /// The message id was used for another message, or an admin request does not fit the current
    /// state.
    Conflict "conflict" 409 4019;
    /// No resource has this path.
    NotFound "not_found" 404 4020;
    /// The resource requires another method.
    MethodNotAllowed "method_not_allowed" 405 4021;
    /// The requested messages are older than the stored ones.
    Gone "gone" 410 4022;
    /// The poll is closed: it takes no more votes.
    PollClosed "poll_closed" 410 4024;
    /// The user opened more connections than a gateway allows; the oldest one is closed.
    TooManyConnections "too_many_connections" 429 4023;
    /// The user is not in the conversation, or the conversation does not exist.
    NotMember "not_member" 403 4025;
    /// One of the two users blocks the other.
    Blocked "blocked" 403 4026;
    /// The user takes no letters, or no more letters, of strangers before answering.
    RequestsOnly "requests_only" 403 4027;
    /// The group has as many members as a group may have.
    GroupFull "group_full" 409 4028;
    /// The user is in as many groups as a user may be.
    TooManyGroups "too_many_groups" 409 4029;
    /// The cursor is not one that this server has given; ask without a cursor.
    BadCursor "bad_cursor" 400 4032;
    /// The time of the upload is over; a new one must begin.
    UploadExpired "upload_expired" 410 4050;
    /// The bytes differ from the checksum or the digest that was stated.
    DigestMismatch "digest_mismatch" 460 4051;
    /// The resource requires a WebSocket handshake, and the request is none.
    UpgradeRequired "upgrade_required" 426 4030;
    /// The encoding of the body is not supported.
    UnsupportedMedia "unsupported_media" 415 4031;
    /// The request exceeds a limit; the answer has the time to retry.
    RateLimited "rate_limited" 429 4100;
    /// Slow mode: one message in the named time.
    SlowMode "slow_mode" 429 4101;
    /// No capacity now; another endpoint may have some.
    Overloaded "overloaded" 503 4102;
    /// A server on which the request depends does not answer.
    Unavailable "unavailable" 503 4103;
    /// The first frame did not arrive in time.
    JoinTimeout "join_timeout" 408 4104;
    /// The request did not arrive in time.
    Timeout "timeout" 408 4105;
    /// A defect of the server.
    Internal "internal" 500 4106;
    /// The ticket does not verify, or is for another room; entry issues a new one.
    BadTicket "bad_ticket" 403 4107;
    /// The ticket has expired or was used; entry issues a new one.
    TicketExpired "ticket_expired" 403 4108;
    /// Letters wait for the inbox for too long; the answer has the time to retry.
    InboxBehind "inbox_behind" 503 4109;
    /// The connection was silent for longer than the heartbeat allows.
    Idle "idle" 408 4200;
    /// The viewer reads more slowly than messages arrive.
    SlowViewer "slow_viewer" 503 4201;
    /// The rights of the user in the room have changed; the next connection has them.
    Refresh "refresh" 503 4202;
    /// The gateway drains; the `reconnect` frame before named time and endpoint.
    Draining "draining" 503 4300;
    /// The ticket's time has not come; the answer has the time to wait.
    TooEarly "too_early" 429 4301;
}

impl Code {
    /// Returns the action that the client should take.
    #[must_use]
    pub const fn advice(self) -> Advice {
        Advice::of_close(self.close())
    }

    /// Reports whether the client may send the same request again later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        !matches!(self.advice(), Advice::Never)
    }
}

/// Body of every HTTP refusal: `{"error": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBody {
    /// The refusal, under the one key of every HTTP error.
    pub error: Refusal,
}

/// A refusal: a stable code, and a sentence that states the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Stable code, for programs; it decides the HTTP status, the close code and the advice.
    pub code: Code,
    /// Sentence for a person: the cause and the action to take.
    pub message: String,
    /// Milliseconds until a retry may succeed; absent when no retry can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Limit that the request exceeded, if the cause is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Box<LimitHit>>,
}

/// Limit that a request exceeded; all counts are 0 for a rule that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitHit {
    /// Name of the rule in the configuration.
    pub rule: String,
    /// Subject of the count: `address`, `user`, `user_in_room`, `room` or `platform`; `message` for
    /// the size of a text.
    pub scope: String,
    /// Units that the rule admits at once, or per window.
    pub limit: u64,
    /// Units that remain in the window; a smaller cost may still pass.
    pub remaining: u64,
    /// Length of the window in milliseconds; 0 for a rule that does not count.
    pub window_ms: u64,
    /// Units requested within the window, for a quota that is shared by sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<u64>,
}

impl LimitHit {
    /// Makes a hit of a rule without a count.
    pub fn rule(rule: impl Into<String>, scope: &str) -> Self {
        LimitHit {
            rule: rule.into(),
            scope: scope.into(),
            limit: 0,
            remaining: 0,
            window_ms: 0,
            offered: None,
        }
    }
}

impl Refusal {
    /// Makes a refusal without a retry time.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Refusal { code, message: message.into(), retry_after_ms: None, limit: None }
    }

    /// Adds the time until a retry may succeed, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_close_codes_are_unique_and_serde_agrees() {
        let mut closes = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(closes.insert(code.close()), "{code:?}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.label());
            assert!((4000..4400).contains(&code.close()));
        }
    }
}
