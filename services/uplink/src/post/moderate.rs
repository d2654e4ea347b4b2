//! Moderation of a post's text and of its sender's name.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Restriction, RestrictionKind};
use barrage_moderation::{Candidate, Moderator, Named, Outcome, RoomRules, RuleHit};
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::Post;
use barrage_protocol::{Code, RoomId, UserAttrs, UserId};
use barrage_token::Identity;

use super::compose::{Content, sender_name};
use super::gifts;
use crate::record::{AuditQueue, CheckResult, PostChecks};
use crate::room::RoomControl;
use crate::text::{CleanText, rfc3339};

/// Milliseconds after which the same text may pass again.
const REPEAT_RETRY_MS: u64 = 30_000;

/// Who chose the names of gifts: moderation checks only those of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiftNames {
    /// The platform, in its configuration: moderation does not check them.
    Platform,
    Senders,
}

/// The result of moderation for a post that is not refused.
#[derive(Debug)]
pub(super) enum Moderated {
    Shown,
    /// The post is shown to its sender alone.
    Held(LimitHit),
    /// The post waits for a moderator.
    Review(RuleHit),
}

/// Moderation step of the pipeline: checks a post's text and its sender's name.
pub(super) struct Moderation {
    moderator: Arc<Moderator>,
    control: RoomControl,
    audit: Arc<AuditQueue>,
    gift_names: GiftNames,
    text_chars_max: usize,
}

impl Moderation {
    pub(super) fn new(
        moderator: Arc<Moderator>,
        control: RoomControl,
        audit: Arc<AuditQueue>,
        gift_names: GiftNames,
        text_chars_max: usize,
    ) -> Self {
        Moderation { moderator, control, audit, gift_names, text_chars_max }
    }

    /// Checks the text of `post`, and replaces it in `content` when a rule masks it. Posts of those
    /// who run the room are not checked. `now` is the time of the room's figures.
    pub(super) async fn check(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        (rules, now): (Option<&RoomRules>, Duration),
        content: &mut Content<'_>,
        checks: &mut PostChecks,
    ) -> Result<Moderated, Refusal> {
        // A picture may come without a text.
        if by.role.is_exempt() || content.text().is_empty() {
            return Ok(Moderated::Shown);
        }
        let at_ms = barrage_clock::unix_ms();
        // The hook alone reads them.
        let read = by.attrs.as_deref().filter(|_| self.moderator.hook_breaker().is_some());
        let attributes = read.map(attributes_text).unwrap_or_default();
        let candidate = Candidate {
            room,
            user: &by.user,
            id: post.id(),
            name: &by.name,
            role: by.role.label(),
            attributes: &attributes,
            room_rules: rules,
            class: post.class(),
            text: content.text(),
        };
        let decision = match content {
            Content::Chat { .. } | Content::SuperChat { .. } => {
                self.moderator.check(&candidate, now, at_ms).await
            }
            Content::Gift { .. } if self.gift_names == GiftNames::Senders => {
                self.moderator.check_gift(&candidate, now, at_ms).await
            }
            Content::Gift { .. } => return Ok(Moderated::Shown),
        };
        for entry in decision.audit {
            self.audit.push_moderated(entry);
        }
        for hit in &decision.shadow {
            checks.step("moderation", CheckResult::Shadow, describe(hit));
        }
        if let Some(mute) = decision.mute {
            self.mute(room, &by.user, mute, checks).await;
        }
        match decision.outcome {
            Outcome::Admit => checks.step("moderation", CheckResult::Pass, ""),
            Outcome::Masked(text) => {
                checks.step("moderation", CheckResult::Pass, "masked");
                content.replace_text(&text, self.text_chars_max)?;
            }
            // A paid post is shown or refused: nobody pays for a post that others do not see.
            Outcome::Held(hit) if !gifts::is_paid(post) => {
                checks.step("moderation", CheckResult::Held, describe(&hit));
                return Ok(Moderated::Held(limit(&hit)));
            }
            Outcome::Review(hit, masked) if !gifts::is_paid(post) => {
                checks.step("moderation", CheckResult::Held, describe(&hit));
                if let Some(masked) = masked {
                    content.replace_text(&masked, self.text_chars_max)?;
                }
                return Ok(Moderated::Review(hit));
            }
            Outcome::Held(hit) | Outcome::Review(hit, _) | Outcome::Refused(hit) => {
                checks.step("moderation", CheckResult::Refused, describe(&hit));
                return Err(refusal(&hit));
            }
        }
        Ok(Moderated::Shown)
    }

    /// Whether a sender wrote an address into the text. The platform's names of gifts are not searched.
    pub(super) fn has_link(&self, content: &Content<'_>) -> bool {
        let is_platforms = matches!(content, Content::Gift { .. }) && self.gift_names == GiftNames::Platform;
        !is_platforms && self.moderator.has_link(content.text())
    }

    /// Returns the sender's name as viewers see it, checked by the word lists. Names of those who
    /// run the room are not checked.
    ///
    /// # Errors
    /// A refusal of the post when a list refuses or holds the name.
    pub(super) fn sender_name(&self, by: &Identity) -> Result<CleanText, Refusal> {
        if by.role.is_exempt() {
            return Ok(sender_name(&by.name, by));
        }
        shown_name(&self.moderator, by)
    }

    /// Mutes a sender whose texts were refused again and again. A failure is logged: the post has
    /// its own answer.
    async fn mute(&self, room: &RoomId, user: &UserId, mute: Duration, checks: &mut PostChecks) {
        let until_ms = barrage_clock::unix_ms() + u64::try_from(mute.as_millis()).unwrap_or(0);
        checks.step("moderation", CheckResult::Refused, format!("muted until {}", rfc3339(until_ms)));
        let restriction = Restriction { kind: RestrictionKind::Mute, until_ms };
        if let Err(refusal) = self.control.restrict(room, user, restriction).await {
            tracing::warn!(code = refusal.code.label(), "a mute by moderation is not in force");
        }
    }
}

/// Returns a sender's name as others see it, checked by the word lists.
///
/// # Errors
/// A refusal when a list refuses or holds the name.
pub(crate) fn shown_name(moderator: &Moderator, by: &Identity) -> Result<CleanText, Refusal> {
    let name = sender_name(&by.name, by);
    match moderator.check_name(name.as_str()) {
        Named::Plain => Ok(name),
        Named::Masked(masked) => Ok(sender_name(&masked, by)),
        Named::Refused(hit) => {
            let message = format!("your name is not shown here ({}); take another name", hit.rule);
            Err(Refusal::new(Code::BadText, message))
        }
    }
}

/// Returns the attributes of a token as a JSON object, as the hook gets them.
fn attributes_text(attributes: &UserAttrs) -> String {
    serde_json::to_string(attributes).unwrap_or_default()
}

/// The refusal does not name the list or rule, because that would help the sender to evade it. The
/// audit log has the name.
pub(crate) fn refusal(hit: &RuleHit) -> Refusal {
    if hit.rule.starts_with("repeat") {
        let message = "the same text again and again; say something else";
        let refusal = Refusal::new(Code::RateLimited, message).retry_after_ms(REPEAT_RETRY_MS);
        return Refusal { limit: Some(Box::new(limit(hit))), ..refusal };
    }
    Refusal::new(Code::BadText, "this text is not shown here; say it in other words")
}

fn describe(hit: &RuleHit) -> String {
    format!("{}: {} ({})", hit.rule, hit.measure.label(), hit.detail)
}

/// Names the kind of the rule, and not the list.
pub(super) fn limit(hit: &RuleHit) -> LimitHit {
    let kind = hit.rule.split(':').next().unwrap_or_default();
    LimitHit::rule(format!("moderation:{kind}"), "user")
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_moderation::Measure;

    #[test]
    fn refusal_does_not_name_the_list() {
        let hit = RuleHit {
            rule: "list:ban".into(),
            measure: Measure::Refuse,
            detail: "line 7".into(),
            matched: None,
        };
        let refusal = refusal(&hit);
        assert_eq!(refusal.code, Code::BadText);
        assert!(!refusal.message.contains("ban") && !refusal.message.contains("list"), "{}", refusal.message);
        assert_eq!(refusal.limit, None);
        assert_eq!(limit(&hit).rule, "moderation:list");
    }

    #[test]
    fn refusal_of_a_repeat_names_the_rule() {
        for rule in ["repeat:user", "repeat:room"] {
            let (rule, detail) = (rule.into(), String::new());
            let hit = RuleHit { rule, measure: Measure::Refuse, detail, matched: None };
            let refusal = refusal(&hit);
            assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(REPEAT_RETRY_MS)));
            assert_eq!(refusal.limit.unwrap().rule, "moderation:repeat");
        }
    }
}
