//! The commit: drafts go to the bus, and receipts become answers.

use barrage_bus::{Bus, BusError, Draft, Receipt};
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::{Outcome, PostAnswer};
use barrage_protocol::{Class, Code, RoomId};

use crate::room::{RoomControl, is_super_chat};

/// Publishes the drafts. Returns when the bus has them durably.
pub(super) async fn publish(bus: &dyn Bus, drafts: Vec<Draft>) -> Result<Vec<Receipt>, Refusal> {
    bus.publish(drafts).await.map_err(|error| {
        let is_away = matches!(error, BusError::Unavailable(_));
        let mut refusal = Refusal::from(error);
        if is_away {
            // The cause is in the log. The sender needs to learn that the same id is safe.
            refusal.message = "the message could not be kept; send it again with the same id".into();
        }
        refusal
    })
}

/// Returns the places of super chats among drafts, with their rooms.
pub(super) fn super_chats(drafts: &[Draft]) -> Vec<(usize, RoomId)> {
    let is_one = |(_, draft): &(usize, &Draft)| draft.class == Class::Gift && is_super_chat(&draft.body);
    drafts.iter().enumerate().filter(is_one).map(|(index, draft)| (index, draft.room.clone())).collect()
}

/// Puts published super chats on top of their rooms, also after a retry: the first try may not have.
pub(super) async fn put_on_top(
    control: &RoomControl,
    super_chats: Vec<(usize, RoomId)>,
    receipts: &[Receipt],
) {
    for (index, room) in super_chats {
        if let Some(receipt) = receipts.get(index) {
            control.super_chat(&room, receipt.sequence).await;
        }
    }
}

/// Makes the answer of the post at `index` from the receipts.
pub(super) fn answer(receipts: &[Receipt], index: usize) -> Result<PostAnswer, Refusal> {
    let receipt =
        receipts.get(index).ok_or_else(|| Refusal::new(Code::Internal, "the bus gave no receipt"))?;
    let outcome = if receipt.duplicate { Outcome::Duplicate } else { Outcome::Broadcast };
    Ok(PostAnswer {
        outcome,
        sequence: Some(receipt.sequence),
        limit: None,
        review: None,
        trace: None,
        vote: None,
    })
}

/// Makes the answer of a post that is shown to its sender alone.
pub(super) fn held(limit: LimitHit) -> PostAnswer {
    PostAnswer {
        outcome: Outcome::Held,
        sequence: None,
        limit: Some(limit),
        review: None,
        trace: None,
        vote: None,
    }
}
