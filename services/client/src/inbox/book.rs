//! What a client knows of an inbox: version, conversations and unread numbers.

use std::collections::BTreeMap;

use barrage_protocol::UserId;
use barrage_protocol::inbox::{
    ConversationKind, ConversationView, Folder, InboxAnswer, ItemView, Notify, Role,
};
use barrage_protocol::mail::{GroupItems, Mail};
use serde::Deserialize;

use super::InboxNews;

/// What a client does after news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxStep {
    /// The news are in the book, or were before.
    Taken,
    /// The book lacks something: ask `GET /v1/inbox`, after a random part of so many milliseconds.
    Ask {
        /// Time over which many clients spread their requests, in milliseconds; 0 for at once.
        spread_ms: u64,
    },
}

/// The client asks at once, without a spread.
const ASK: InboxStep = InboxStep::Ask { spread_ms: 0 };

/// The conversations of a user, as mail and answers of `GET /v1/inbox` make them. Items are with the caller.
#[derive(Debug, Clone)]
pub struct InboxBook {
    user: UserId,
    version: u64,
    unread_direct: u64,
    conversations: BTreeMap<String, ConversationView>,
}

impl InboxBook {
    /// Creates the book of a user who has nothing yet.
    #[must_use]
    pub fn new(user: UserId) -> Self {
        InboxBook { user, version: 0, unread_direct: 0, conversations: BTreeMap::new() }
    }

    /// Creates the book of a user from what a program has kept.
    pub(crate) fn kept(user: UserId, version: u64, unread_direct: u64, rows: Vec<ConversationView>) -> Self {
        let conversations = rows.into_iter().map(|row| (row.conversation.clone(), row)).collect();
        InboxBook { user, version, unread_direct, conversations }
    }

    /// Returns the user whose inbox it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the unread items of the direct conversations that count.
    #[must_use]
    pub const fn unread_direct(&self) -> u64 {
        self.unread_direct
    }

    /// Returns the version of the inbox that the book has.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Returns the conversations by their ids, without items.
    #[must_use]
    pub const fn conversations(&self) -> &BTreeMap<String, ConversationView> {
        &self.conversations
    }

    /// Returns the unread items of all conversations that count: those in the main folder that are not muted.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread_direct + self.unread_in_groups()
    }

    fn unread_in_groups(&self) -> u64 {
        self.conversations.values().filter(|row| counts_as_group(row)).map(|row| row.unread).sum()
    }

    /// Takes an answer of `GET /v1/inbox`. One that mail has overtaken is not taken, and the client asks again; one
    /// with more behind it, too.
    pub fn answered(&mut self, answer: InboxAnswer) -> InboxStep {
        if answer.reset {
            *self = InboxBook::new(self.user.clone());
        }
        if answer.version < self.version {
            return ASK;
        }
        answer.conversations.into_iter().for_each(|row| self.set(row));
        self.version = answer.version;
        self.unread_direct = answer.unread.saturating_sub(self.unread_in_groups());
        if answer.more { ASK } else { InboxStep::Taken }
    }

    /// Takes news of the connection.
    pub fn take(&mut self, news: &InboxNews) -> InboxStep {
        match news {
            InboxNews::Attached => ASK,
            InboxNews::Bell(bell) if bell.version.is_some_and(|version| version <= self.version) => {
                InboxStep::Taken
            }
            InboxNews::Bell(bell) => InboxStep::Ask { spread_ms: bell.spread_ms.unwrap_or(0) },
            InboxNews::Mail(mail) => self.mail(mail),
        }
    }

    fn mail(&mut self, mail: &Mail) -> InboxStep {
        if let (Some(previous), Some(version)) = (mail.previous, mail.version)
            && version > self.version
        {
            if previous > self.version {
                return ASK;
            }
            mail.conversations.iter().cloned().for_each(|row| self.set(row));
            self.version = version;
            self.unread_direct = mail.unread_direct.unwrap_or(self.unread_direct);
        }
        let are_known = mail.groups.iter().all(|group| self.group(group));
        if are_known { InboxStep::Taken } else { ASK }
    }

    /// Replaces a row. What a change leaves out is as before.
    fn set(&mut self, mut row: ConversationView) {
        row.items = Vec::new();
        if let Some(known) = self.conversations.remove(&row.conversation) {
            row.peer = row.peer.or(known.peer);
            row.peer_read = row.peer_read.max(known.peer_read);
            if row.mentions.is_empty() {
                row.mentions = known.mentions;
                row.mentions.retain(|position| *position > row.read);
            }
        }
        self.conversations.insert(row.conversation.clone(), row);
    }

    /// Takes news of a group. The positions of its items are dense. Returns false when something is missing before them.
    fn group(&mut self, group: &GroupItems) -> bool {
        let Some(row) = self.conversations.get_mut(&group.conversation).filter(|row| is_present(row)) else {
            return false;
        };
        for item in &group.items {
            if item.position > row.head + 1 {
                return false;
            }
            if item.position == row.head + 1 {
                (row.head, row.at_ms) = (item.position, item.at_ms);
                let is_of_others = item.kind.is_some() && item.sender != self.user;
                row.unread += u64::from(is_of_others);
                if is_of_others && mentions(item, &self.user) {
                    row.mentions.insert(0, item.position);
                }
            }
        }
        if let Some(settings) = &group.group {
            row.group = Some(settings.clone());
        }
        if group.deleted {
            (row.deleted, row.unread) = (true, 0);
        }
        true
    }
}

/// Whether an item mentions a user.
fn mentions(item: &ItemView, user: &UserId) -> bool {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        mentions: Vec<UserId>,
    }
    let body = item.body.as_ref().map(|body| serde_json::from_str::<Body>(body.get()));
    body.is_some_and(|body| body.is_ok_and(|body| body.mentions.contains(user)))
}

fn is_present(row: &ConversationView) -> bool {
    row.left.is_none() && !row.deleted && row.role.unwrap_or_default() > Role::Applicant
}

fn counts_as_group(row: &ConversationView) -> bool {
    row.kind == ConversationKind::Group
        && is_present(row)
        && row.folder == Folder::Main
        && row.notify == Notify::All
}
