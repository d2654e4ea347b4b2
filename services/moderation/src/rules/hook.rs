//! The hook: an outside service that decides about texts.
//!
//! The request is a `POST` of `{"room", "user", "id", "name", "role", "attributes"?, "text", "class"}`.
//! The answer is `{"action": "allow|deny|review|rewrite|hold", "text"?, "reason"?}`, where `rewrite` comes
//! with the text to show instead. The older names `admit`, `refuse` and `mask` mean `allow`, `deny` and
//! `rewrite`. Any other answer or status is a failure. Redirects are not followed.

use std::path::PathBuf;
use std::time::Duration;

use barrage_flow::BreakerConfig;
use barrage_guarded::{BreakerMetrics, CallError, Guarded};
use barrage_protocol::{Class, MessageId, RoomId, UserId};
use barrage_secret::SecretUrl;
use barrage_tls::{CaFileError, ClientTls};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::decision::Action;

/// Maximum characters of the hook's reason that are kept; the rest is cut.
const REASON_CHARS_MAX: usize = 200;

barrage_part::part! {
    /// Outside service that decides about texts, and with `media.hook` about media. Without this table no service is
    /// asked.
    pub struct HookConfig {
        /// URL that receives the texts, beginning with `https://`, or with `http://` inside of a network
        /// that is trusted.
        url: SecretUrl = "".into();
        /// PEM file with authorities that the hook's certificate may have, beside those of the system.
        ca_file: Option<PathBuf> = None;
        /// Longest wait for an answer, in milliseconds. The sender waits as long.
        deadline_ms: u64 = 200, between(1, 60_000);
        /// Questions at the same time; a further text gets the fallback.
        calls_max: usize = 256, between(1, 100_000);
        /// Largest answer in bytes; a larger one counts as a failure.
        answer_bytes_max: usize = 65_536, between(2, 16 << 20);
        /// Action for a text that the hook could not be asked about: `admit`, `hold`, `review` or
        /// `refuse`. With `admit`, the chat does not depend on the service.
        fallback: Action = Action::Admit;
        /// Circuit breaker before the hook.
        breaker: BreakerConfig = BreakerConfig::default();
        /// Whether answers are only reported.
        shadow: bool = false;
    }
}

/// The body of the request to the hook.
#[derive(Debug, Serialize)]
pub(crate) struct Question<'a> {
    pub(crate) room: &'a RoomId,
    pub(crate) user: &'a UserId,
    pub(crate) id: &'a MessageId,
    /// Name as the token has it, neither cleaned nor checked.
    pub(crate) name: &'a str,
    /// Role in the room.
    pub(crate) role: &'a str,
    /// Attributes of the token, as an object; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attributes: Option<&'a RawValue>,
    pub(crate) text: &'a str,
    pub(crate) class: Class,
}

/// The hook's word for its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    #[serde(alias = "admit")]
    Allow,
    #[serde(alias = "refuse")]
    Deny,
    #[serde(alias = "mask")]
    Rewrite,
    Review,
    Hold,
}

impl From<Verdict> for Action {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Action::Admit,
            Verdict::Deny => Action::Refuse,
            Verdict::Rewrite => Action::Mask,
            Verdict::Review => Action::Review,
            Verdict::Hold => Action::Hold,
        }
    }
}

/// The body of the hook's answer. The action `rewrite` needs a `text` to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Answer {
    pub(crate) action: Verdict,
    pub(crate) text: Option<String>,
    pub(crate) reason: Option<String>,
}

/// Why a call had no answer, so that the fallback applies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HookError {
    #[error("too many questions are open")]
    Busy,
    #[error(transparent)]
    Call(#[from] CallError),
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the hook cannot be reached: {0}")]
    Transport(#[from] reqwest::Error),
    #[error("the hook answered with status {0}")]
    Status(StatusCode),
    #[error("the hook's answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the hook's answer is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the hook's answer rewrites the text, and has no text to show")]
    NoText,
}

/// Why the client of the hook cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HookStartError {
    /// The HTTP client cannot be made, for a reason of the system.
    #[error("the HTTP client of the hook cannot be made")]
    Client(#[source] reqwest::Error),
    /// The CA file of the hook cannot be used.
    #[error("moderation.hook.ca_file")]
    Ca(#[from] CaFileError),
}

/// The client of the hook, behind its breaker.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) config: HookConfig,
    client: Client,
    calls: Semaphore,
    pub(crate) guarded: Guarded,
}

impl Hook {
    /// Makes a client. `breaker` is the name of its circuit breaker in metrics and logs.
    pub(crate) fn new(
        breaker: &'static str,
        config: HookConfig,
        metrics: &BreakerMetrics,
    ) -> Result<Self, HookStartError> {
        let client = Client::builder()
            .tls_backend_preconfigured(ClientTls::load(config.ca_file.as_deref())?.rustls())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(config.calls_max)
            .build()
            .map_err(HookStartError::Client)?;
        let deadline = Duration::from_millis(config.deadline_ms);
        let guarded = Guarded::new(breaker, config.breaker.clone(), deadline, metrics);
        let calls = Semaphore::new(config.calls_max.min(Semaphore::MAX_PERMITS));
        Ok(Hook { config, client, calls, guarded })
    }

    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Answer, HookError> {
        let Ok(_permit) = self.calls.try_acquire() else { return Err(HookError::Busy) };
        Ok(self.guarded.call(async { with_text(self.answer(question).await?) }).await?)
    }

    /// Asks when a call is free. Waiting questions are asked in their order.
    pub(crate) async fn ask_in_turn(&self, question: &impl Serialize) -> Result<Answer, CallError> {
        let _permit = self.calls.acquire().await;
        self.guarded.call(self.answer(question)).await
    }

    async fn answer(&self, question: &impl Serialize) -> Result<Answer, AskError> {
        let mut response = self.client.post(self.config.url.expose()).json(question).send().await?;
        if response.status() != StatusCode::OK {
            return Err(AskError::Status(response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > self.config.answer_bytes_max {
                return Err(AskError::TooLong(self.config.answer_bytes_max));
            }
            bytes.extend_from_slice(&chunk);
        }
        parse(&bytes)
    }
}

/// Parses the body of an answer; cuts its reason.
fn parse(bytes: &[u8]) -> Result<Answer, AskError> {
    let mut answer: Answer = serde_json::from_slice(bytes)?;
    answer.reason = answer.reason.map(|reason| reason.chars().take(REASON_CHARS_MAX).collect());
    Ok(answer)
}

/// Refuses an answer that rewrites a text and has no text.
fn with_text(answer: Answer) -> Result<Answer, AskError> {
    if answer.action == Verdict::Rewrite && answer.text.is_none() {
        return Err(AskError::NoText);
    }
    Ok(answer)
}

/// Parses an answer for the fuzz targets; returns the text to show and the reason.
#[doc(hidden)]
#[must_use]
pub fn parse_hook_answer(bytes: &[u8]) -> Option<(Option<String>, Option<String>)> {
    parse(bytes).and_then(with_text).ok().map(|answer| (answer.text, answer.reason))
}
