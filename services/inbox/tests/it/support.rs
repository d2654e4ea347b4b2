//! Short forms of events, and tables that take them one by one.

use barrage_inbox::model::Tables;
use barrage_inbox::{
    Changes, ConversationId, Entry, Event, Letter, LetterKind, Member, Outcome, Place, Position, Refusal,
    Standing,
};
use barrage_protocol::{MessageId, Sequence, UserId};

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn group() -> ConversationId {
    ConversationId::parse("g.fans").unwrap()
}

pub(crate) fn direct(one: &str, other: &str) -> ConversationId {
    ConversationId::direct(&user(one), &user(other))
}

pub(crate) fn text(id: &str) -> Letter {
    Letter {
        id: MessageId::parse(id).unwrap(),
        kind: LetterKind::Text,
        body: format!("{{\"text\":\"{id}\"}}"),
    }
}

pub(crate) fn letter(sender: &str, to: &str, id: &str) -> Event {
    Event::Letter { sender: user(sender), to: user(to), letter: text(id), standing: Standing::Stranger }
}

pub(crate) fn post(sender: &str, id: &str) -> Event {
    Event::Post { sender: user(sender), group: group(), letter: text(id), mentions: Vec::new() }
}

pub(crate) fn place(name: &str, conversation: ConversationId, position: u64) -> Place {
    Place { user: user(name), conversation, position: Position(position) }
}

/// Tables with a clock and a lane.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) tables: Tables,
    pub(crate) now_ms: u64,
}

impl Inbox {
    pub(crate) fn batch(&mut self, events: impl IntoIterator<Item = Event>) -> Changes {
        let first = self.tables.mark.0 + 1;
        let entries = (first..).zip(events).map(|(sequence, event)| Entry {
            sequence: Sequence(sequence),
            at_ms: self.now_ms,
            event,
        });
        self.tables.project(&entries.collect::<Vec<_>>())
    }

    pub(crate) fn take(&mut self, event: Event) -> Outcome {
        self.batch([event]).outcomes[0]
    }

    pub(crate) fn sends(&mut self, event: Event) -> u64 {
        match self.take(event) {
            Outcome::Sent(_, position) => position.0,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refuses(&mut self, event: Event, refusal: Refusal) {
        assert_eq!(self.take(event), Outcome::Refused(refusal));
    }

    pub(crate) fn member(&self, name: &str, conversation: &ConversationId) -> &Member {
        let number = self.tables.user_number(&user(name)).unwrap();
        let found = self.tables.members.values().find(|member| {
            member.user == number && self.tables.conversations[&member.conversation].id == *conversation
        });
        found.unwrap()
    }

    pub(crate) fn unread(&self, name: &str, conversation: &ConversationId) -> u64 {
        let member = self.member(name, conversation);
        member.unread(self.tables.conversations[&member.conversation].head)
    }

    pub(crate) fn total(&self, name: &str) -> u64 {
        self.tables.users[&self.tables.user_number(&user(name)).unwrap()].unread
    }

    pub(crate) fn version(&self, name: &str) -> u64 {
        self.tables.users[&self.tables.user_number(&user(name)).unwrap()].version.0
    }
}
