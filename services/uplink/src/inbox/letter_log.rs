//! The newest letters of this uplink, and where each of them is now: for the admin call `why`.

use std::collections::VecDeque;

use barrage_inbox::{ConversationId, ItemState, Position, Version};
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{LETTERS_MAX, LetterAnswer, LetterOutcome, LetterRequest};
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_store::{AwayRange, InboxError, ItemRange, StoredItem};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use super::control::InboxControl;

/// Letters that are remembered; beyond, the oldest are forgotten.
const LETTERS_KEPT: usize = 10_000;
/// Letters returned for one id, which many users may have used.
const FOUND_MAX: usize = 20;
/// Newest items of a conversation, and notes of a sender, among which a letter is looked for.
const LOOKED_AT_MAX: usize = 1_000;

/// A letter as this uplink answered it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct LetterRecord {
    /// Time of the request in Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Sender of the letter.
    user: UserId,
    /// Conversation of the letter.
    conversation: String,
    /// Id that the sender chose.
    id: MessageId,
    /// `accepted`, `duplicate`, or the code of the refusal.
    outcome: &'static str,
    /// Why the letter was refused, as the sender was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Lane of an accepted letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<u16>,
    /// Place in the lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
}

/// Where an accepted letter is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum LetterPlace {
    /// The letter waits in its lane: the tables have the lane up to `taken`.
    Waiting {
        /// Position of the lane in the tables.
        taken: Sequence,
    },
    /// The letter is an item of its conversation. Attached devices were sent mail; others have it with their next sync.
    Item {
        /// Position in the conversation.
        position: u64,
        /// The item was recalled or erased.
        recalled: bool,
    },
    /// The courier refused the letter, and told the sender so.
    Undelivered {
        /// Why the letter has no effect: a code, such as `blocked`.
        reason: String,
    },
    /// No item has the id: it was removed after its time, or is not among the newest 1,000 of the conversation.
    Gone,
    /// The tables cannot be read now.
    Unknown,
}

/// A letter with its place.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LetterTrail {
    /// Letter as this uplink answered it.
    #[serde(flatten)]
    pub(crate) record: LetterRecord,
    /// Where the letter is now; absent for a refused one.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<LetterPlace>,
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
    fn find(&self, id: &MessageId) -> Vec<LetterRecord> {
        self.0.lock().iter().rev().filter(|letter| letter.id == *id).take(FOUND_MAX).cloned().collect()
    }
}

impl InboxControl {
    /// Returns the newest letters of this uplink under an id, newest first, with the place of each.
    pub(crate) async fn trails(&self, id: &MessageId) -> Vec<LetterTrail> {
        let mut trails = Vec::new();
        for record in self.letters.find(id) {
            let place = match (record.lane, record.sequence) {
                (Some(lane), Some(sequence)) => {
                    Some(self.place(&record, lane, sequence).await.unwrap_or(LetterPlace::Unknown))
                }
                _ => None,
            };
            trails.push(LetterTrail { record, place });
        }
        trails
    }

    async fn place(
        &self,
        record: &LetterRecord,
        lane: u16,
        sequence: Sequence,
    ) -> Result<LetterPlace, InboxError> {
        let taken = self.store.mark(lane).await?;
        if taken < sequence {
            return Ok(LetterPlace::Waiting { taken });
        }
        let Ok(conversation) = ConversationId::parse(&record.conversation) else {
            return Ok(LetterPlace::Gone);
        };
        let newest = ItemRange::Before(Position(Sequence::MAX.0));
        let items = self.store.items(&conversation, newest, LOOKED_AT_MAX).await?;
        let is_it = |stored: &&StoredItem| {
            stored.sender == record.user && stored.item.id.as_ref() == Some(&record.id)
        };
        if let Some(found) = items.iter().find(is_it) {
            let recalled = found.item.state == ItemState::Recalled;
            return Ok(LetterPlace::Item { position: found.item.position.0, recalled });
        }
        let away = self.store.away(&record.user, AwayRange::after(Version(0)), LOOKED_AT_MAX).await?;
        let notes = away.map(|away| away.undelivered).unwrap_or_default();
        let refused =
            notes.into_iter().find(|note| note.conversation == conversation && note.id == record.id);
        Ok(refused.map_or(LetterPlace::Gone, |note| LetterPlace::Undelivered {
            reason: note.refusal.label().into(),
        }))
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
