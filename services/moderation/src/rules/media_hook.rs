//! The hook about media: the service that decides about texts is asked about a picture or file.
//!
//! The request is a `POST` of `{"user", "media": {"digest", "kind", "type", "size", "url"}}` to the URL of the texts. The
//! answer has the same form. `hold` and `rewrite` mean `review`: a picture can be neither shown to its sender alone nor
//! rewritten. The client has a circuit breaker of its own, `media_hook`, so that slow pictures delay no text.

use barrage_guarded::{BreakerMetrics, Guarded};
use barrage_protocol::{Digest, MediaKind, UserId};
use serde::Serialize;

use crate::decision::Action;
use crate::rules::hook::{Hook, HookConfig, HookStartError, Verdict};

/// A medium that its sender waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MediaFacts<'a> {
    /// SHA-256 of the uploaded bytes, in hexadecimal digits.
    pub digest: Digest,
    /// Kind of the medium: a picture, a clip, sound or a file.
    pub kind: MediaKind,
    /// Media type of the bytes at `url`, such as `image/webp`.
    #[serde(rename = "type")]
    pub media_type: &'a str,
    /// Number of bytes at `url`.
    pub size: u64,
    /// Absolute address of the bytes, which ends after some minutes.
    pub url: &'a str,
}

/// The body of the request about a medium. It has no room: nobody knows yet where the medium is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MediaQuestion<'a> {
    /// User who has uploaded the medium.
    pub user: &'a UserId,
    /// What was uploaded, and where the service reads it.
    pub media: MediaFacts<'a>,
}

/// The hook's decision about a medium, or its absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaJudgement {
    /// The sender may send the medium.
    Allow,
    /// A moderator decides about the medium before anybody sees it.
    Review {
        /// Reason that the hook gave for the moderator, cut to 200 characters.
        reason: Option<String>,
    },
    /// The medium is refused.
    Deny {
        /// Reason that the hook gave for the log, cut to 200 characters.
        reason: Option<String>,
    },
    /// The hook has not answered, so that its fallback applies.
    Away {
        /// Value of `moderation.hook.fallback`, never `mask`.
        fallback: Action,
        /// Description of the failure for the log.
        error: String,
    },
}

/// The client of the hook for media, behind a breaker of its own.
#[derive(Debug)]
pub struct MediaHook(Hook);

impl MediaHook {
    /// Makes a client. `deadline_ms` replaces the deadline of the texts. An answer within it is not slow for the breaker.
    ///
    /// # Errors
    /// See [`HookStartError`].
    pub fn new(
        config: &HookConfig,
        deadline_ms: Option<u64>,
        metrics: &BreakerMetrics,
    ) -> Result<Self, HookStartError> {
        let mut config = config.clone();
        config.deadline_ms = deadline_ms.unwrap_or(config.deadline_ms);
        config.breaker.slow_ms = config.breaker.slow_ms.max(config.deadline_ms);
        Ok(MediaHook(Hook::new("media_hook", config, metrics)?))
    }

    /// Whether answers are only reported (`moderation.hook.shadow`).
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.0.config.shadow
    }

    /// Returns the breaker before the service, for the switches.
    #[must_use]
    pub fn breaker(&self) -> &Guarded {
        &self.0.guarded
    }

    /// Asks about a medium when one of `moderation.hook.calls_max` calls is free, and waits for the deadline at most.
    pub async fn judge(&self, question: &MediaQuestion<'_>) -> MediaJudgement {
        match self.0.ask_in_turn(question).await {
            Ok(answer) => match answer.action {
                Verdict::Allow => MediaJudgement::Allow,
                Verdict::Deny => MediaJudgement::Deny { reason: answer.reason },
                Verdict::Review | Verdict::Hold | Verdict::Rewrite => {
                    MediaJudgement::Review { reason: answer.reason }
                }
            },
            Err(error) => MediaJudgement::Away { fallback: self.0.config.fallback, error: error.to_string() },
        }
    }
}
