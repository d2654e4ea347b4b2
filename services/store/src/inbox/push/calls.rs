//! Which rows of the queue a batch of items writes. Pure.

use std::collections::BTreeMap;

use barrage_inbox::{
    Changes, Conversation, ConversationNumber, Entry, Event, ItemKind, ItemState, UserNumber,
};
use barrage_protocol::UserId;

use super::records::PushKind;

/// Members of a group up to which each item of it makes notifications. In a larger group, mentions alone do.
const CALLED_MEMBERS_MAX: u32 = 500;
/// Time in milliseconds from an item to its notification: who reads in time is not disturbed.
const DUE_AFTER_MS: u64 = 5_000;

/// Time in milliseconds from a read to the lowering of badges: one user reads several conversations in a row.
const LOWER_AFTER_MS: u64 = 2_000;
/// Shortest time in milliseconds from the last badge that a device of the user was told to a lowering.
pub(in crate::inbox) const LOWER_EVERY_MS: u64 = 30_000;

/// Members of a conversation for whom a notification waits from now on, if they have a device and want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inbox) struct Call {
    pub(in crate::inbox) conversation: ConversationNumber,
    /// The one user; `None` for all members but `sender`.
    pub(in crate::inbox) user: Option<UserNumber>,
    pub(in crate::inbox) sender: UserNumber,
    pub(in crate::inbox) up_to: u64,
    pub(in crate::inbox) kind: PushKind,
    pub(in crate::inbox) due_ms: u64,
}

/// Returns the calls of a batch, in the order of conversations.
pub(in crate::inbox) fn calls(changes: &Changes) -> Vec<Call> {
    let conversations: BTreeMap<_, _> = changes.conversations.iter().map(|it| (it.number, it)).collect();
    let mut found = BTreeMap::new();
    for item in &changes.items {
        let is_shown = item.state == ItemState::Shown && matches!(item.kind, ItemKind::Letter(_));
        let Some(conversation) = conversations.get(&item.conversation).filter(|_| is_shown) else { continue };
        let Some(user) = called(conversation, item.sender) else { continue };
        let call = Call {
            conversation: item.conversation,
            user,
            sender: item.sender,
            up_to: item.position.0,
            kind: PushKind::Letter,
            due_ms: item.at_ms.saturating_add(DUE_AFTER_MS),
        };
        add(&mut found, call);
    }
    for mention in &changes.mentions {
        let is_same = |item: &&barrage_inbox::Item| {
            item.conversation == mention.conversation && item.position == mention.position
        };
        let Some(item) = changes.items.iter().find(is_same).filter(|it| it.state == ItemState::Shown) else {
            continue;
        };
        let call = Call {
            conversation: item.conversation,
            user: Some(mention.user),
            sender: item.sender,
            up_to: item.position.0,
            kind: PushKind::Mention,
            due_ms: item.at_ms.saturating_add(DUE_AFTER_MS),
        };
        add(&mut found, call);
    }
    found.into_values().collect()
}

/// Returns the users of a batch whose total may have fallen by what they did themselves, and when their badges are due.
pub(in crate::inbox) fn lowered(entries: &[Entry]) -> BTreeMap<&UserId, u64> {
    let mut found = BTreeMap::new();
    for entry in entries {
        if let Event::Read(place) | Event::Hide(place) | Event::Clear(place) = &entry.event {
            found.entry(&place.user).or_insert(entry.at_ms.saturating_add(LOWER_AFTER_MS));
        }
    }
    found
}

/// Returns whom an item calls: the other user of a direct conversation, or the members of a group; `None` for nobody.
fn called(conversation: &Conversation, sender: UserNumber) -> Option<Option<UserNumber>> {
    match conversation.pair() {
        Some(pair) => pair.into_iter().find(|user| *user != sender).map(Some),
        None => (conversation.members <= CALLED_MEMBERS_MAX).then_some(None),
    }
}

/// Adds a call, or joins it with the one of the same receivers: the first time, the newest position.
fn add(
    found: &mut BTreeMap<(ConversationNumber, PushKind, Option<UserNumber>, UserNumber), Call>,
    call: Call,
) {
    let key = (call.conversation, call.kind, call.user, call.sender);
    let joined = found.entry(key).or_insert(call);
    joined.up_to = joined.up_to.max(call.up_to);
    joined.due_ms = joined.due_ms.min(call.due_ms);
}
