//! Where a letter is now, for the admin call `why`.

use barrage_inbox::{ConversationId, ItemState, Position, Version};
use barrage_protocol::{MessageId, Sequence};
use barrage_store::{AwayRange, InboxError, ItemRange, StoredItem};
use schemars::JsonSchema;
use serde::Serialize;

use super::control::InboxControl;
use super::letter_log::LetterRecord;

/// Newest items of a conversation, and notes of a sender, among which a letter is looked for.
const LOOKED_AT_MAX: usize = 1_000;

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
