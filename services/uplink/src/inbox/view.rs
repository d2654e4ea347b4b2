//! Rows of the tables as their reader sees them. Pure.

use barrage_inbox::{ConversationState, ItemKind, ItemState, Kind, Position, Role, UserNumber};
use barrage_protocol::inbox::{ConversationKind, ConversationView, ItemView};
use barrage_store::{Membership, StoredItem};
use serde_json::value::RawValue;

use crate::media::MediaLinks;

/// Returns a conversation without mentions and items.
pub(super) fn conversation(found: &Membership) -> ConversationView {
    let Membership { conversation, member, peer, peer_read } = found;
    let is_group = conversation.id.kind() == Kind::Group;
    let is_deleted = conversation.state == ConversationState::Deleted;
    ConversationView {
        conversation: conversation.id.to_string(),
        kind: if is_group { ConversationKind::Group } else { ConversationKind::Direct },
        peer: peer.clone(),
        group: is_group.then(|| conversation.settings.clone()),
        members: is_group.then_some(conversation.members),
        role: is_group.then_some(member.role),
        head: conversation.head.position.0,
        at_ms: conversation.at_ms,
        unread: if is_deleted { 0 } else { member.unread(conversation.head) },
        read: member.counters.read.position.0,
        peer_read: peer_read.map(|position| position.0),
        folder: member.folder,
        notify: member.notify,
        pinned: member.pinned,
        marked: member.marked,
        after: member.joined.max(member.cleared).0,
        left: member.left.map(|left| left.0),
        deleted: is_deleted,
        mentions: Vec::new(),
        items: Vec::new(),
    }
}

/// Returns the places between which the user may read: behind the first, before the second. `None` when it may
/// read nothing.
pub(super) fn readable(found: &Membership) -> Option<(Position, Position)> {
    let Membership { conversation, member, .. } = found;
    if member.role <= Role::Applicant || conversation.state == ConversationState::Deleted {
        return None;
    }
    let last = member.left.unwrap_or(conversation.head.position).min(conversation.head.position);
    let after = member.joined.max(member.cleared);
    (after < last).then_some((after, Position(last.0 + 1)))
}

/// Returns an item as a reader sees it, with addresses of its medium that are signed now.
pub(super) fn item(stored: StoredItem, reader: UserNumber, media: &MediaLinks) -> ItemView {
    let StoredItem { item, sender } = stored;
    let is_shown = item.state == ItemState::Shown;
    let kind = match item.kind {
        ItemKind::Letter(kind) => Some(kind),
        ItemKind::Recall => None,
    };
    let body = is_shown.then(|| RawValue::from_string(item.body).ok()).flatten();
    let body = body.map(|body| media.renewed(&body).unwrap_or(body));
    ItemView {
        position: item.position.0,
        id: item.id.filter(|_| item.sender == reader),
        sender,
        at_ms: item.at_ms,
        kind,
        // A recall has no body: an empty text is no JSON.
        body,
        recalls: item.target.map(|target| target.0),
        recalled: !is_shown,
    }
}

/// Returns the bytes of an item in an answer, roughly.
pub(super) fn bytes(item: &ItemView) -> usize {
    const BESIDE_THE_BODY: usize = 120;
    BESIDE_THE_BODY + item.body.as_ref().map_or(0, |body| body.get().len())
}
