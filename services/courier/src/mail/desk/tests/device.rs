//! A device that keeps its numbers by what it is sent, and by synchronisations.

use std::collections::BTreeMap;

use barrage_inbox::model::Tables;
use barrage_inbox::{ConversationState, Role};
use barrage_protocol::UserId;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::Mail;

/// Numbers of one conversation at a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) head: u64,
    pub(super) unread: u64,
}

/// A client by the rules of the protocol.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) user: UserId,
    pub(super) version: u64,
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) syncs: u32,
}

impl Device {
    pub(super) fn sync(&mut self, tables: &Tables) {
        self.syncs += 1;
        (self.version, self.rows) = rows_of(tables, &self.user);
    }

    pub(super) fn frame(&mut self, json: &[u8], tables: &Tables) {
        match ServerFrame::parse(json).unwrap() {
            ServerFrame::Mail(mail) => self.mail(&mail, tables),
            ServerFrame::Bell(bell) if bell.version.is_some_and(|version| version <= self.version) => {}
            ServerFrame::Bell(_) => self.sync(tables),
            other => panic!("{other:?}"),
        }
    }

    fn mail(&mut self, mail: &Mail, tables: &Tables) {
        if let (Some(previous), Some(version)) = (mail.previous, mail.version) {
            if previous > self.version {
                return self.sync(tables);
            }
            if version > self.version {
                self.version = version;
                for view in &mail.conversations {
                    let has_role = view.role.unwrap_or_default() > Role::Applicant;
                    if view.left.is_none() && has_role && !view.deleted {
                        let row = Row { head: view.head, unread: view.unread };
                        self.rows.insert(view.conversation.clone(), row);
                    } else {
                        self.rows.remove(&view.conversation);
                    }
                }
            }
            return;
        }
        for group in &mail.groups {
            let Some(row) = self.rows.get_mut(&group.conversation) else { return self.sync(tables) };
            for item in &group.items {
                if item.position > row.head + 1 {
                    return self.sync(tables);
                }
                if item.position == row.head + 1 {
                    row.head = item.position;
                    row.unread += u64::from(item.sender != self.user && item.kind.is_some());
                }
            }
        }
    }
}

/// Version and rows of a user, as `GET /v1/inbox` answers them.
pub(super) fn rows_of(tables: &Tables, user: &UserId) -> (u64, BTreeMap<String, Row>) {
    let Some(number) = tables.user_number(user) else { return (0, BTreeMap::new()) };
    let mut rows = BTreeMap::new();
    for member in tables.members.values().filter(|member| member.user == number && member.is_present()) {
        let conversation = &tables.conversations[&member.conversation];
        if conversation.state == ConversationState::Deleted {
            continue;
        }
        let row = Row { head: conversation.head.position.0, unread: member.unread(conversation.head) };
        rows.insert(conversation.id.to_string(), row);
    }
    (tables.users[&number].version.0, rows)
}
