//! What an inbox shows, as texts under ids, so that two inboxes can be compared.

use std::collections::{BTreeMap, BTreeSet};

use barrage_inbox::model::Tables;
use barrage_inbox::{ConversationId, ConversationNumber, Item, Member, User, UserNumber, Version};
use barrage_protocol::{MessageId, UserId};
use barrage_store::{AwayRange, InboxStore, ItemRange};

/// Lines of an inbox. Numbers of users and conversations, which are internal, are not among them.
#[derive(Debug, Default)]
struct Dump {
    lines: BTreeSet<String>,
    users: BTreeMap<UserNumber, UserId>,
    conversations: BTreeMap<ConversationNumber, ConversationId>,
}

impl Dump {
    fn line(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn user(&mut self, user: &User) {
        // A store may know a user whom only a failed batch has named.
        if user.version != Version(0) {
            let User { id, version, unread, preferences, .. } = user;
            self.line(format!("user {id} {version:?} {unread} {preferences:?}"));
        }
    }

    fn membership(&mut self, conversation: &barrage_inbox::Conversation, member: &Member) {
        let (name, owner) = (&self.users[&member.user], &self.users[&conversation.owner]);
        let peer = member.peer.map(|peer| &self.users[&peer]);
        let known =
            Member { user: UserNumber(0), conversation: ConversationNumber(0), peer: None, ..member.clone() };
        let barrage_inbox::Conversation { id, head, sequence, at_ms, members, state, settings, .. } =
            conversation;
        self.line(format!(
            "member {name} {peer:?} {known:?} in {id} {owner} {head:?} {sequence} {at_ms} {members} {state:?} {settings:?}"
        ));
    }

    fn item(&mut self, item: &Item) {
        let (conversation, sender) = (&self.conversations[&item.conversation], &self.users[&item.sender]);
        let id = item.id.as_ref().map(MessageId::as_str);
        let known =
            Item { conversation: ConversationNumber(0), sender: UserNumber(0), id: None, ..item.clone() };
        self.line(format!("item {conversation} {sender} {id:?} {known:?}"));
    }

    fn rest(&mut self, away: &barrage_store::Away) {
        let name = &away.user.id;
        let mut lines = Vec::new();
        for hidden in &away.hidden {
            let conversation = &self.conversations[&hidden.conversation];
            lines.push(format!("hidden {name} {conversation} {:?} {:?}", hidden.position, hidden.version));
        }
        for note in &away.undelivered {
            let barrage_inbox::Undelivered { version, conversation, id, refusal, at_ms, .. } = note;
            lines.push(format!("undelivered {name} {version:?} {conversation} {id} {refusal:?} {at_ms}"));
        }
        for mention in &away.mentions {
            let conversation = &self.conversations[&mention.conversation];
            lines.push(format!("mention {name} {conversation} {:?}", mention.position));
        }
        lines.extend(away.blocked.iter().map(|other| format!("block {name} {other}")));
        self.lines.extend(lines);
    }
}

/// Reads everything of the users of `tables` from a store.
pub(crate) async fn of_store(store: &dyn InboxStore, tables: &Tables) -> BTreeSet<String> {
    let mut dump = Dump::default();
    let mut inboxes = Vec::new();
    for user in tables.users.values() {
        let away = store.away(&user.id, AwayRange::after(Version(0)), usize::MAX).await.unwrap();
        inboxes.extend(away);
    }
    for away in &inboxes {
        dump.users.insert(away.user.number, away.user.id.clone());
        let known = away.memberships.iter().map(|membership| &membership.conversation);
        dump.conversations.extend(known.map(|known| (known.number, known.id.clone())));
    }
    for away in &inboxes {
        dump.user(&away.user);
        for membership in &away.memberships {
            dump.membership(&membership.conversation, &membership.member);
            assert_eq!(membership.peer.as_ref(), membership.member.peer.map(|peer| &dump.users[&peer]));
        }
        dump.rest(away);
    }
    for id in dump.conversations.values().cloned().collect::<Vec<_>>() {
        let mut after = barrage_inbox::Position(0);
        loop {
            let items = store.items(&id, ItemRange::After(after), usize::MAX).await.unwrap();
            let Some(last) = items.last() else { break };
            after = last.item.position;
            for stored in &items {
                assert_eq!(stored.sender, dump.users[&stored.item.sender]);
                dump.item(&stored.item);
            }
        }
    }
    dump.lines
}

/// Returns what a store with the rows of the tables shows.
pub(crate) fn of_tables(tables: &Tables) -> BTreeSet<String> {
    let mut dump = Dump {
        users: tables.users.values().map(|user| (user.number, user.id.clone())).collect(),
        conversations: tables.conversations.values().map(|known| (known.number, known.id.clone())).collect(),
        ..Dump::default()
    };
    for user in tables.users.values() {
        dump.user(user);
        let own = |user_number: UserNumber| user_number == user.number;
        let is_unread = |mention: &barrage_inbox::Mention| {
            let member = &tables.members[&(mention.conversation, mention.user)];
            member.left.is_none() && mention.position > member.counters.read.position
        };
        let mentions = tables.mentions.iter().filter(|row| own(row.user) && is_unread(row));
        let blocked = tables.blocks.iter().filter(|pair| own(pair.0));
        dump.rest(&barrage_store::Away {
            more: false,
            group_unread: 0,
            user: user.clone(),
            memberships: Vec::new(),
            hidden: tables.hidden.values().filter(|row| own(row.user)).copied().collect(),
            undelivered: tables.undelivered.iter().filter(|row| own(row.user)).cloned().collect(),
            mentions: mentions.copied().collect(),
            lanes: Vec::new(),
            blocked: blocked.map(|pair| tables.users[&pair.1].id.clone()).collect(),
        });
    }
    for member in tables.members.values() {
        dump.membership(&tables.conversations[&member.conversation], member);
    }
    for item in tables.items.values().flatten() {
        dump.item(item);
    }
    dump.lines
}
