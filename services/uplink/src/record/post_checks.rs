//! CheckLog of the newest posts: the result of each check, for the admin call `why`.

use std::borrow::Cow;
use std::collections::VecDeque;

use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_protocol::{Class, MessageId, RoomId, Sequence, TraceId, UserId};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::printable_owned;

/// Maximum posts remembered. The oldest are forgotten.
const POSTS_MAX: usize = 10_000;
/// Maximum posts returned for one id, which many users may have used.
const FOUND_MAX: usize = 20;

/// Steps of most posts.
const STEPS: usize = 4;

/// The last step of a refused post, whichever check refused it.
const ANSWER: &str = "answer";

/// The result of one check of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckResult {
    /// The post goes on to the next check.
    Pass,
    /// The post is shown to its sender alone.
    Held,
    Refused,
    /// The rule would have refused or held the post, but is in shadow mode.
    Shadow,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Step {
    check: &'static str,
    #[serde(rename = "word")]
    result: CheckResult,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: Cow<'static, str>,
}

/// The checks that one post went through.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PostChecks {
    at_ms: u64,
    room: RoomId,
    user: UserId,
    id: MessageId,
    class: Class,
    steps: Vec<Step>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
    /// Id of the OpenTelemetry trace of a sampled post.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceId>,
}

impl PostChecks {
    pub(crate) fn new(room: &RoomId, user: &UserId, post: &Post, at_ms: u64, trace: Option<TraceId>) -> Self {
        PostChecks {
            at_ms,
            room: room.clone(),
            user: user.clone(),
            id: post.id().clone(),
            class: post.class(),
            steps: Vec::with_capacity(STEPS),
            outcome: "given_up",
            sequence: None,
            trace,
        }
    }

    /// Adds the result of one check. `detail` is escaped, because a hook's reason may hold any
    /// character and operators read it in a terminal.
    pub(crate) fn step(
        &mut self,
        check: &'static str,
        result: CheckResult,
        detail: impl Into<Cow<'static, str>>,
    ) {
        let detail = match detail.into() {
            // Written in this program: nothing to escape.
            Cow::Borrowed(text) => Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(printable_owned(text)),
        };
        self.steps.push(Step { check, result, detail });
    }

    pub(crate) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    pub(crate) fn room(&self) -> &RoomId {
        &self.room
    }

    pub(crate) fn user(&self) -> &UserId {
        &self.user
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Returns the outcome's label, or the refusal's code; `given_up` before the end.
    pub(crate) fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// Returns the check that held or refused the post; empty when none did.
    pub(crate) fn rule(&self) -> &'static str {
        let decided =
            self.steps.iter().filter(|step| matches!(step.result, CheckResult::Held | CheckResult::Refused));
        decided.map(|step| step.check).find(|check| *check != ANSWER).unwrap_or_default()
    }

    pub(crate) fn end(&mut self, result: &Result<PostAnswer, Refusal>) {
        match result {
            Ok(answer) => {
                self.outcome = answer.outcome.label();
                self.sequence = answer.sequence;
            }
            Err(refusal) => {
                self.outcome = refusal.code.label();
                self.step(ANSWER, CheckResult::Refused, refusal.message.clone());
            }
        }
    }
}

/// The checks of the newest posts, shared by all requests.
#[derive(Debug, Default)]
pub(crate) struct CheckLog(Mutex<VecDeque<PostChecks>>);

impl CheckLog {
    pub(crate) fn push(&self, checks: PostChecks) {
        let mut newest = self.0.lock();
        if newest.len() >= POSTS_MAX {
            newest.pop_front();
        }
        newest.push_back(checks);
    }

    /// Returns the checks of posts under this id, newest first.
    pub(crate) fn find(&self, id: &MessageId) -> Vec<PostChecks> {
        self.0.lock().iter().rev().filter(|checks| checks.id == *id).take(FOUND_MAX).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Code;
    use barrage_protocol::post::Outcome;

    use super::*;

    fn checks() -> PostChecks {
        let post = Post::chat("m1".parse().unwrap(), "x");
        let mut checks = PostChecks::new(&"r".parse().unwrap(), &"u".parse().unwrap(), &post, 7, None);
        checks.step("limits", CheckResult::Pass, "");
        checks
    }

    #[test]
    fn detail_of_a_step_is_escaped_for_terminals() {
        let mut checks = checks();
        checks.step("moderation", CheckResult::Refused, "hook: refuse (\u{1b}[2J\nroot#)".to_owned());
        let json = serde_json::to_value(&checks).unwrap();
        assert_eq!(json["steps"][1]["detail"], "hook: refuse (\\u{1b}[2J\\u{a}root#)");
        assert_eq!(json["steps"][1]["word"], "refused");
    }

    #[test]
    fn rule_is_the_check_that_decided() {
        let mut held = checks();
        held.step("room_display_chat_per_s", CheckResult::Shadow, "");
        held.step("moderation", CheckResult::Held, "");
        held.end(&Ok(PostAnswer {
            outcome: Outcome::Held,
            sequence: None,
            limit: None,
            review: None,
            trace: None,
            vote: None,
        }));
        assert_eq!((held.outcome(), held.rule()), ("held", "moderation"));
        let mut refused = checks();
        refused.end(&Err(Refusal::new(Code::Muted, "no")));
        assert_eq!((refused.outcome(), refused.rule()), ("muted", ""));
        let mut shown = checks();
        shown.end(&Ok(PostAnswer {
            outcome: Outcome::Broadcast,
            sequence: None,
            limit: None,
            review: None,
            trace: None,
            vote: None,
        }));
        assert_eq!((shown.outcome(), shown.rule()), ("broadcast", ""));
    }
}
