//! A post's text before the moderation.

use std::borrow::Cow;
use std::time::Duration;

use barrage_bus::{Change, Restriction, RestrictionKind};
use barrage_http::ApiError;
use barrage_moderation::{Candidate, Outcome, RuleHit};
use barrage_protocol::code::LimitHit;
use barrage_protocol::post::Post;
use barrage_protocol::{Class, Code, RoomId, UserId};
use barrage_store::Mute;
use barrage_token::{Identity, Role};

use crate::compose::Signal;
use crate::routes::Uplink;
use crate::send::unix_ms;
use crate::trace::{Trace, Word};

/// When the same text may pass again.
const REPEAT_RETRY_MS: u64 = 30_000;

/// What the moderation comes to.
pub(crate) enum Moderated<'a> {
    /// It is shown like this.
    As(Cow<'a, Post>),
    /// Its sender alone sees it.
    Held(LimitHit),
}

impl Uplink {
    /// Shows a post's text to the moderation. Who runs the room is not checked.
    pub(crate) async fn moderate<'a>(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &'a Post,
        trace: &mut Trace,
    ) -> Result<Moderated<'a>, ApiError> {
        let Some(text) = text(post).filter(|_| by.role < Role::Moderator) else {
            return Ok(Moderated::As(Cow::Borrowed(post)));
        };
        let candidate = Candidate { room, user: &by.user, id: post.id(), class: post.class(), text };
        let decision = self.moderator.check(&candidate, self.started.elapsed(), unix_ms()).await;
        for entry in decision.audit {
            self.audit.moderated(entry);
        }
        for hit in &decision.shadow {
            trace.step("moderation", Word::Shadow, said(hit));
        }
        if let Some(mute) = decision.mute {
            self.mute_for(room, &by.user, mute, trace).await;
        }
        match decision.outcome {
            Outcome::Admit => {
                trace.step("moderation", Word::Pass, "");
                Ok(Moderated::As(Cow::Borrowed(post)))
            }
            Outcome::Masked(text) => {
                trace.step("moderation", Word::Pass, "masked");
                Ok(Moderated::As(Cow::Owned(with_text(post, text))))
            }
            // Nobody pays for what is not shown.
            Outcome::Held(hit) if post.class() != Class::Gift => {
                trace.step("moderation", Word::Held, said(&hit));
                Ok(Moderated::Held(limit(&hit)))
            }
            Outcome::Held(hit) | Outcome::Refused(hit) => {
                trace.step("moderation", Word::Refused, said(&hit));
                Err(refusal(&hit))
            }
        }
    }

    /// Mutes whom the moderation found out again and again.
    async fn mute_for(&self, room: &RoomId, user: &UserId, mute: Duration, trace: &mut Trace) {
        let until_ms = unix_ms() + u64::try_from(mute.as_millis()).unwrap_or(0);
        trace.step("moderation", Word::Refused, format!("muted until {until_ms}"));
        if let Err(error) = self.mute_until(room, user, until_ms).await {
            tracing::warn!(code = error.0.code.label(), "a mute of the moderation is not in force");
        }
    }

    /// Mutes a user in a room: in force first, then on record, then said.
    pub(crate) async fn mute_until(
        &self,
        room: &RoomId,
        user: &UserId,
        until_ms: u64,
    ) -> Result<(), ApiError> {
        let restriction = Some(Restriction { kind: RestrictionKind::Mute, until_ms });
        let change = Change::Restrict { room: room.clone(), user: user.clone(), restriction };
        self.bus.change(change).await.map_err(crate::admin::refused)?;
        let record = Mute { room: room.clone(), user: user.clone(), until_ms };
        if let Err(error) = self.store.mute(&record).await {
            tracing::error!(%error, "a mute is in force but not in the store");
        }
        self.signal(room, &Signal::Mute { user, until_ms }, Some(user.clone())).await?;
        Ok(())
    }
}

fn text(post: &Post) -> Option<&str> {
    match post {
        Post::Chat { text, .. } | Post::SuperChat { text, .. } => Some(text),
        Post::Gift { .. } | Post::Like { .. } => None,
    }
}

fn with_text(post: &Post, shown: String) -> Post {
    let mut post = post.clone();
    if let Post::Chat { text, .. } | Post::SuperChat { text, .. } = &mut post {
        *text = shown;
    }
    post
}

fn refusal(hit: &RuleHit) -> ApiError {
    if hit.rule.starts_with("repeat") {
        let error = ApiError::new(Code::RateLimited, "the same text again and again; say something else");
        return error.retry_after_ms(REPEAT_RETRY_MS);
    }
    ApiError::new(Code::BadText, format!("this text is not shown here ({})", hit.rule))
}

fn said(hit: &RuleHit) -> String {
    format!("{}: {} ({})", hit.rule, hit.measure.label(), hit.detail)
}

fn limit(hit: &RuleHit) -> LimitHit {
    LimitHit::rule(format!("moderation:{}", hit.rule), "user")
}
