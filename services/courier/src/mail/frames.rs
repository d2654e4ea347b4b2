//! Frames of a batch's changes: one for each attached user, and the items of groups.

use std::collections::{BTreeSet, HashMap, HashSet};

use barrage_inbox::{
    BlockChange, Changes, Conversation, ConversationNumber, ConversationState, HiddenItem, Item, ItemKind,
    ItemState, Kind, Member, Receipts, Undelivered, User, UserNumber,
};
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::inbox::{ConversationKind, ConversationView, ItemView, PlaceView, UndeliveredView};
use barrage_protocol::mail::{Bell, GroupItems, Mail};
use bytes::Bytes;
use serde_json::value::RawValue;

/// Maximum number of items in one frame. Beyond, a user is rung, and pulls what it wants to see.
pub(super) const ITEMS_MAX: usize = 50;
/// Maximum number of changed conversations in one frame. Beyond, the user is rung.
const CONVERSATIONS_MAX: usize = 50;
/// Maximum size of the bodies in one frame, in bytes. Beyond, the user is rung.
pub(super) const BODIES_BYTES_MAX: usize = 32 * 1024;

/// The rows of a batch, by what the frames look for.
pub(super) struct Rows<'a> {
    users: HashMap<UserNumber, &'a User>,
    conversations: HashMap<ConversationNumber, &'a Conversation>,
    members: HashMap<UserNumber, Vec<&'a Member>>,
    items: HashMap<ConversationNumber, Vec<&'a Item>>,
    hidden: HashMap<UserNumber, Vec<&'a HiddenItem>>,
    undelivered: HashMap<UserNumber, Vec<&'a Undelivered>>,
    /// Users with changes that no frame carries.
    others: HashSet<UserNumber>,
    /// Groups with another title or other rules, and those that were deleted.
    regrouped: BTreeSet<ConversationNumber>,
}

/// The new items of one group.
pub(super) struct NewItems<'a> {
    pub(super) group: ConversationNumber,
    pub(super) items: Vec<&'a Item>,
}

fn by<K: std::hash::Hash + Eq, T>(rows: &[T], key: impl Fn(&T) -> K) -> HashMap<K, Vec<&T>> {
    let mut found: HashMap<K, Vec<&T>> = HashMap::new();
    for row in rows {
        found.entry(key(row)).or_default().push(row);
    }
    found
}

impl<'a> Rows<'a> {
    pub(super) fn of(changes: &'a Changes) -> Self {
        let conversations = changes.conversations.iter().chain(&changes.seen);
        let blocking = changes.blocks.iter().map(|change| match change {
            BlockChange::Begun(user, ..) | BlockChange::Ended(user, _) => *user,
        });
        Rows {
            users: changes.users.iter().map(|user| (user.number, user)).collect(),
            conversations: conversations.map(|row| (row.number, row)).collect(),
            members: by(&changes.members, |member| member.user),
            items: by(&changes.items, |item| item.conversation),
            hidden: by(&changes.hidden, |hidden| hidden.user),
            undelivered: by(&changes.undelivered, |letter| letter.user),
            others: blocking.chain(changes.preferred.iter().copied()).collect(),
            regrouped: changes.regrouped.iter().copied().collect(),
        }
    }

    /// Returns the frame that brings an attached user to its version: its mail, or a bell.
    pub(super) fn frame(&self, user: &User) -> Bytes {
        let mail = (!self.others.contains(&user.number)).then(|| self.mail(user)).flatten();
        frame(&match mail {
            Some(mail) => ServerFrame::Mail(mail),
            None => ServerFrame::Bell(Bell { version: Some(user.version.0), spread_ms: None }),
        })
    }

    /// Returns `None` for changes that a frame does not carry, or not within its bounds.
    fn mail(&self, user: &User) -> Option<Mail> {
        let members = self.members.get(&user.number).map_or(&[][..], Vec::as_slice);
        let (hidden, undelivered) = (of(&self.hidden, user), of(&self.undelivered, user));
        let rows = members.len().max(hidden.len()).max(undelivered.len());
        if rows == 0 || rows > CONVERSATIONS_MAX {
            return None;
        }
        let mut mail = Mail {
            previous: Some(user.version.0 - 1),
            version: Some(user.version.0),
            unread_direct: Some(user.unread),
            ..Mail::default()
        };
        let (mut items, mut bytes) = (0, 0);
        for member in members {
            let view = self.view(member)?;
            items += view.items.len();
            bytes += view.items.iter().map(body_bytes).sum::<usize>();
            mail.conversations.push(view);
        }
        for hidden in hidden {
            let conversation = self.conversations.get(&hidden.conversation)?.id.to_string();
            mail.hidden.push(PlaceView { conversation, position: hidden.position.0 });
        }
        mail.undelivered.extend(undelivered.iter().map(|letter| UndeliveredView {
            conversation: letter.conversation.to_string(),
            id: letter.id.clone(),
            reason: letter.refusal.label().to_owned(),
            at_ms: letter.at_ms,
        }));
        (items <= ITEMS_MAX && bytes <= BODIES_BYTES_MAX).then_some(mail)
    }

    /// Returns a conversation as its member sees it, with the items of the batch that come to the member alone.
    fn view(&self, member: &Member) -> Option<ConversationView> {
        let conversation = *self.conversations.get(&member.conversation)?;
        let is_group = conversation.id.kind() == Kind::Group;
        let items = of(&self.items, conversation);
        // Other members' items of a group come in the frame for all.
        let own = items.iter().filter(|item| !is_group || item.sender == member.user);
        let items = own.filter(|item| member.may_read(item.position));
        Some(ConversationView {
            conversation: conversation.id.to_string(),
            kind: if is_group { ConversationKind::Group } else { ConversationKind::Direct },
            peer: member.peer.and_then(|peer| self.users.get(&peer)).map(|peer| peer.id.clone()),
            group: is_group.then(|| conversation.settings.clone()),
            members: is_group.then_some(conversation.members),
            role: is_group.then_some(member.role),
            head: conversation.head.position.0,
            at_ms: conversation.at_ms,
            unread: member.unread(conversation.head),
            read: member.counters.read.position.0,
            peer_read: self.peer_read(member),
            folder: member.folder,
            notify: member.notify,
            pinned: member.pinned,
            marked: member.marked,
            after: member.joined.max(member.cleared).0,
            left: member.left.map(|left| left.0),
            deleted: conversation.state == ConversationState::Deleted,
            mentions: Vec::new(),
            items: items.map(|item| self.item(item, Some(member.user))).collect::<Option<_>>()?,
        })
    }

    /// Returns how far the peer has read, where both take part in receipts, and the batch has the peer's row.
    fn peer_read(&self, member: &Member) -> Option<u64> {
        let peer = member.peer?;
        let shows = |number: UserNumber| {
            self.users.get(&number).is_some_and(|user| user.preferences.receipts == Receipts::Shown)
        };
        let row = self.members.get(&peer)?.iter().find(|row| row.conversation == member.conversation)?;
        (shows(member.user) && shows(peer)).then_some(row.counters.read.position.0)
    }

    /// Returns an item as a reader sees it; `None` when its sender is unknown.
    fn item(&self, item: &Item, reader: Option<UserNumber>) -> Option<ItemView> {
        let recalled = item.state == ItemState::Recalled;
        let body = (!recalled && !item.body.is_empty()).then(|| RawValue::from_string(item.body.clone()));
        Some(ItemView {
            position: item.position.0,
            sender: self.users.get(&item.sender)?.id.clone(),
            at_ms: item.at_ms,
            id: item.id.clone().filter(|_| reader == Some(item.sender)),
            kind: match item.kind {
                ItemKind::Letter(kind) => Some(kind),
                ItemKind::Recall => None,
            },
            body: body.transpose().ok()?,
            recalls: item.target.map(|target| target.0),
            recalled,
        })
    }

    /// Returns the new items of groups.
    pub(super) fn groups(&self) -> Vec<NewItems<'a>> {
        let is_group = |number: &ConversationNumber| {
            self.conversations.get(number).is_some_and(|row| row.id.kind() == Kind::Group)
        };
        let groups = self.items.iter().filter(|(number, _)| is_group(number));
        let mut groups: Vec<_> =
            groups.map(|(group, items)| NewItems { group: *group, items: items.clone() }).collect();
        groups.sort_by_key(|items| items.group);
        groups
    }

    /// Returns the groups whose members see another title, other rules, or their end.
    pub(super) fn regrouped(&self) -> impl Iterator<Item = &'a Conversation> {
        self.regrouped.iter().filter_map(|number| self.conversations.get(number).copied())
    }

    /// Returns the id of a group, and one of its new items for all members.
    pub(super) fn group_item(&self, item: &Item) -> Option<(String, ItemView)> {
        Some((self.conversations.get(&item.conversation)?.id.to_string(), self.item(item, None)?))
    }
}

/// Key of the rows of a user or a conversation.
trait Keyed<K> {
    fn key(&self) -> K;
}

impl Keyed<UserNumber> for User {
    fn key(&self) -> UserNumber {
        self.number
    }
}

impl Keyed<ConversationNumber> for Conversation {
    fn key(&self) -> ConversationNumber {
        self.number
    }
}

fn of<'r, K: std::hash::Hash + Eq, T>(rows: &'r HashMap<K, Vec<T>>, owner: &impl Keyed<K>) -> &'r [T] {
    rows.get(&owner.key()).map_or(&[], Vec::as_slice)
}

/// Returns the size of an item's body, in bytes.
pub(super) fn body_bytes(item: &ItemView) -> usize {
    item.body.as_ref().map_or(0, |body| body.get().len())
}

/// Returns the frame with news of one group.
pub(super) fn group_frame(news: GroupItems) -> Bytes {
    let groups = vec![news];
    frame(&ServerFrame::Mail(Mail { groups, ..Mail::default() }))
}

/// Returns a bell without a version.
pub(super) fn ring() -> Bytes {
    frame(&ServerFrame::Bell(Bell::default()))
}

fn frame(frame: &ServerFrame) -> Bytes {
    serde_json::to_vec(frame).expect("frames are plain data").into()
}
