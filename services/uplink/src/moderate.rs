//! A post's text before the moderation.

use std::borrow::Cow;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_moderation::{Candidate, Outcome, RuleHit};
use barrage_protocol::code::LimitHit;
use barrage_protocol::post::Post;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_token::{Identity, Role};

use crate::gifts;
use crate::printable::rfc3339;
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
    /// Shows a post's text, or the name of its gift unless the platform chose the names, to the
    /// moderation. Who runs the room is not checked.
    pub(crate) async fn moderate<'a>(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &'a Post,
        trace: &mut Trace,
    ) -> Result<Moderated<'a>, ApiError> {
        if by.role >= Role::Moderator {
            return Ok(Moderated::As(Cow::Borrowed(post)));
        }
        let (now, at_ms) = (self.started.elapsed(), unix_ms());
        let candidate = |text| Candidate { room, user: &by.user, id: post.id(), class: post.class(), text };
        let decision = match post {
            Post::Chat { text, .. } | Post::SuperChat { text, .. } => {
                self.moderator.check(&candidate(text), now, at_ms).await
            }
            Post::Gift { gift, .. } if !self.gifts.are_listed() => {
                self.moderator.check_gift(&candidate(&gift.name), now, at_ms).await
            }
            Post::Gift { .. } | Post::Like { .. } => return Ok(Moderated::As(Cow::Borrowed(post))),
        };
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
            Outcome::Held(hit) if !gifts::is_paid(post) => {
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
        trace.step("moderation", Word::Refused, format!("muted until {}", rfc3339(until_ms)));
        if let Err(error) = self.mute_until(room, user, until_ms).await {
            tracing::warn!(code = error.0.code.label(), "a mute of the moderation is not in force");
        }
    }
}

fn with_text(post: &Post, shown: String) -> Post {
    let mut post = post.clone();
    match &mut post {
        Post::Chat { text, .. } | Post::SuperChat { text, .. } => *text = shown,
        Post::Gift { gift, .. } => gift.name = shown,
        Post::Like { .. } => {}
    }
    post
}

fn refusal(hit: &RuleHit) -> ApiError {
    if hit.rule.starts_with("repeat") {
        let error = ApiError::new(Code::RateLimited, "the same text again and again; say something else");
        return error.retry_after_ms(REPEAT_RETRY_MS);
    }
    // Which list or rule it was is in the audit log: it would teach the sender the way round it.
    ApiError::new(Code::BadText, "this text is not shown here; say it in other words")
}

fn said(hit: &RuleHit) -> String {
    format!("{}: {} ({})", hit.rule, hit.measure.label(), hit.detail)
}

/// Names the kind of the rule, and not the list.
fn limit(hit: &RuleHit) -> LimitHit {
    let kind = hit.rule.split(':').next().unwrap_or_default();
    LimitHit::rule(format!("moderation:{kind}"), "user")
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_moderation::Measure;

    #[test]
    fn no_answer_names_a_list() {
        let hit = RuleHit { rule: "list:ban".into(), measure: Measure::Refuse, detail: "line 7".into() };
        let refusal = refusal(&hit).0;
        assert_eq!(refusal.code, Code::BadText);
        assert!(!refusal.message.contains("ban") && !refusal.message.contains("list"), "{}", refusal.message);
        assert_eq!(limit(&hit).rule, "moderation:list");
    }
}
