//! The newest posts' way through the checks, for whoever asks why a message was
//! (not) shown.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use barrage_http::ApiError;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_protocol::{Class, MessageId, RoomId, Sequence, UserId};
use serde::Serialize;

use crate::printable::printable_owned;
use crate::send::unix_ms;

/// Posts remembered; the oldest are forgotten.
const TRACES_MAX: usize = 10_000;
/// Posts told of one id: many users may have used it.
const FOUND_MAX: usize = 20;

/// The step of a refusal, whichever check it comes from.
const ANSWER: &str = "answer";

/// What a check said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// Go on.
    Pass,
    /// Not shown to others.
    Held,
    /// Refused.
    Refused,
    /// It would have been refused or held, were the rule not in shadow mode.
    Shadow,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Step {
    check: &'static str,
    word: Word,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// One post's way.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trace {
    at_ms: u64,
    room: RoomId,
    user: UserId,
    id: MessageId,
    class: Class,
    steps: Vec<Step>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
}

impl Trace {
    pub(crate) fn new(room: &RoomId, user: &UserId, post: &Post) -> Self {
        Trace {
            at_ms: unix_ms(),
            room: room.clone(),
            user: user.clone(),
            id: post.id().clone(),
            class: post.class(),
            steps: Vec::new(),
            outcome: "given_up",
            sequence: None,
        }
    }

    pub(crate) fn step(&mut self, check: &'static str, word: Word, detail: impl Into<String>) {
        // A hook's reason, or a word of the sender's, must not draw on an operator's terminal.
        let detail = printable_owned(detail.into());
        self.steps.push(Step { check, word, detail });
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

    /// What became of it; `given_up` before its end.
    pub(crate) fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// The check that held or refused it; empty where none did.
    pub(crate) fn rule(&self) -> &'static str {
        let decided = self.steps.iter().filter(|step| matches!(step.word, Word::Held | Word::Refused));
        decided.map(|step| step.check).find(|check| *check != ANSWER).unwrap_or_default()
    }

    pub(crate) fn end(&mut self, result: &Result<PostAnswer, ApiError>) {
        match result {
            Ok(answer) => {
                self.outcome = answer.outcome.label();
                self.sequence = answer.sequence;
            }
            Err(error) => {
                self.outcome = error.0.code.label();
                self.step(ANSWER, Word::Refused, error.0.message.clone());
            }
        }
    }
}

/// The newest posts.
#[derive(Debug, Default)]
pub(crate) struct Traces(Mutex<VecDeque<Trace>>);

impl Traces {
    pub(crate) fn push(&self, trace: Trace) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= TRACES_MAX {
            newest.pop_front();
        }
        newest.push_back(trace);
    }

    /// Posts under this id, newest first.
    pub(crate) fn find(&self, id: &MessageId) -> Vec<Trace> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.iter().rev().filter(|trace| trace.id == *id).take(FOUND_MAX).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Code;
    use barrage_protocol::post::{Outcome, Style};

    use super::*;

    fn trace() -> Trace {
        let post = Post::Chat { id: "m1".parse().unwrap(), text: "x".into(), style: Style::default() };
        let mut trace = Trace::new(&"r".parse().unwrap(), &"u".parse().unwrap(), &post);
        trace.step("limits", Word::Pass, "");
        trace
    }

    #[test]
    fn a_reason_cannot_draw_on_a_terminal() {
        let mut trace = trace();
        trace.step("moderation", Word::Refused, "hook: refuse (\u{1b}[2J\nroot#)");
        let told = serde_json::to_value(&trace).unwrap();
        assert_eq!(told["steps"][1]["detail"], "hook: refuse (\\u{1b}[2J\\u{a}root#)");
    }

    #[test]
    fn the_rule_is_the_check_that_decided() {
        let mut held = trace();
        held.step("room_display_chat_per_s", Word::Shadow, "");
        held.step("moderation", Word::Held, "");
        held.end(&Ok(PostAnswer { outcome: Outcome::Held, sequence: None, limit: None }));
        assert_eq!((held.outcome(), held.rule()), ("held", "moderation"));
        let mut refused = trace();
        refused.end(&Err(ApiError::new(Code::Muted, "no")));
        assert_eq!((refused.outcome(), refused.rule()), ("muted", ""));
        let mut shown = trace();
        shown.end(&Ok(PostAnswer { outcome: Outcome::Broadcast, sequence: None, limit: None }));
        assert_eq!((shown.outcome(), shown.rule()), ("broadcast", ""));
    }
}
