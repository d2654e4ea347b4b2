//! The newest letters of this uplink, as they were answered.

use std::collections::VecDeque;

use barrage_inbox::ConversationId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{LETTERS_MAX, LetterAnswer, LetterOutcome, LetterRequest};
use barrage_protocol::{MessageId, Sequence, UserId};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

/// Letters that are remembered; beyond, the oldest are forgotten.
const LETTERS_KEPT: usize = 10_000;
/// Letters returned for one id, which many users may have used.
const FOUND_MAX: usize = 20;

/// A letter as this uplink answered it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct LetterRecord {
    /// Time of the request in Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Sender of the letter.
    pub(super) user: UserId,
    /// Conversation of the letter.
    pub(super) conversation: String,
    /// Id that the sender chose.
    pub(super) id: MessageId,
    /// `accepted`, `duplicate`, or the code of the refusal.
    outcome: &'static str,
    /// Why the letter was refused, as the sender was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Lane of an accepted letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lane: Option<u16>,
    /// Place in the lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<Sequence>,
}

/// The newest letters, shared by all requests. They have no text.
#[derive(Debug, Default)]
pub(super) struct LetterLog(Mutex<VecDeque<LetterRecord>>);

impl LetterLog {
    /// Adds the letters of a request with its answer.
    pub(super) fn push(
        &self,
        user: &UserId,
        conversation: &ConversationId,
        letters: &[LetterRequest],
        sent: &Result<Vec<LetterAnswer>, Refusal>,
    ) {
        let at_ms = barrage_clock::unix_ms();
        let mut newest = self.0.lock();
        for (at, letter) in letters.iter().take(LETTERS_MAX).enumerate() {
            let answer = sent.as_ref().ok().and_then(|answers| answers.get(at));
            let refusal = sent.as_ref().err();
            let outcome = match (answer.map(|answer| answer.outcome), refusal) {
                (Some(LetterOutcome::Accepted), _) => "accepted",
                (Some(LetterOutcome::Duplicate), _) => "duplicate",
                (None, refusal) => refusal.map_or("internal", |refusal| refusal.code.label()),
            };
            if newest.len() >= LETTERS_KEPT {
                newest.pop_front();
            }
            newest.push_back(LetterRecord {
                at_ms,
                user: user.clone(),
                conversation: conversation.to_string(),
                id: letter.id().clone(),
                outcome,
                detail: refusal.map(|refusal| refusal.message.clone()),
                lane: answer.map(|answer| answer.lane),
                sequence: answer.map(|answer| answer.sequence),
            });
        }
    }

    /// Returns letters under an id, newest first.
    pub(super) fn find(&self, id: &MessageId) -> Vec<LetterRecord> {
        self.0.lock().iter().rev().filter(|letter| letter.id == *id).take(FOUND_MAX).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::Code;

    use super::*;

    #[test]
    fn newest_letters_are_found_by_their_id_with_what_became_of_them() {
        let (log, user) = (LetterLog::default(), UserId::parse("ann").unwrap());
        let conversation = ConversationId::direct(&user, &"bob".parse().unwrap());
        let letter = |id: &str| LetterRequest::Text {
            id: id.parse().unwrap(),
            text: "hello".into(),
            reply_to: None,
            mentions: Vec::new(),
        };
        let answer = LetterAnswer {
            outcome: LetterOutcome::Accepted,
            sequence: Sequence(7),
            lane: 2,
            conversation: conversation.to_string(),
        };
        log.push(&user, &conversation, &[letter("a")], &Ok(vec![answer]));
        log.push(&user, &conversation, &[letter("a")], &Err(Refusal::new(Code::Blocked, "no")));
        let found = log.find(&"a".parse().unwrap());
        assert_eq!(found.iter().map(|letter| letter.outcome).collect::<Vec<_>>(), ["blocked", "accepted"]);
        assert_eq!((found[1].lane, found[1].sequence), (Some(2), Some(Sequence(7))));
        for n in 0..LETTERS_KEPT {
            log.push(&user, &conversation, &[letter(&format!("n{n}"))], &Ok(Vec::new()));
        }
        assert!(log.find(&"a".parse().unwrap()).is_empty());
        assert_eq!(log.0.lock().len(), LETTERS_KEPT);
    }
}
