//! What a device delivers to its program, and what the program keeps of it.

use std::collections::BTreeMap;

use barrage_protocol::UserId;
use barrage_protocol::code::Advice;
use barrage_protocol::inbox::{ConversationView, InboxAnswer, ItemView, PlaceView, UndeliveredView};
use barrage_protocol::mail::Mail;
use serde::{Deserialize, Serialize};

use crate::inbox::InboxBook;

/// One event of a device.
#[derive(Debug)]
pub enum DeviceEvent {
    /// The connection is open, for the first time or after a reconnect. A change may follow.
    Attached {
        /// User of the token, whose inbox it is.
        user: UserId,
    },
    /// The inbox has changed. The next call of [`crate::Device::next`] says that the change is written.
    Change(Box<InboxChange>),
    /// The connection ended. The next attempt comes after this wait.
    Reconnecting {
        /// Wait until the next attempt, in milliseconds.
        wait_ms: u64,
        /// Close code, if the server sent one.
        code: Option<u16>,
    },
    /// The server refused for good, such as a token that has ended. No further event follows.
    Closed {
        /// Close code, if there is one.
        code: Option<u16>,
        /// Advice on reconnecting that belongs to the code.
        advice: Advice,
        /// Message of the server, for logs and developers.
        message: String,
    },
}

/// How far a device is. The program stores it in the same write as the change that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxPlace {
    /// User whose inbox it is; the place is of no use to another user.
    pub user: UserId,
    /// Cursor of the last answer; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Version of the inbox that the device has.
    pub version: u64,
    /// Unread items of the direct conversations that count.
    pub unread_direct: u64,
}

/// A change of the inbox. All parts are states, not steps: to write a change twice has the effect of one write.
#[derive(Debug, Clone)]
pub struct InboxChange {
    /// The program forgets the conversations, items and places from before.
    pub reset: bool,
    /// Changed conversations as they are now, each with its new items, oldest first. The newest items come: earlier
    /// ones that the program lacks are at [`crate::Letters::items`].
    pub conversations: Vec<ConversationView>,
    /// Items that the user has hidden, here or on another device.
    pub hidden: Vec<PlaceView>,
    /// Letters of the user that were accepted and have no effect.
    pub undelivered: Vec<UndeliveredView>,
    /// Unread items of all conversations that count.
    pub unread: u64,
    /// How far the device is with this change.
    pub place: InboxPlace,
}

/// What a program keeps of an inbox between two starts: the place, and the conversations without their items.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeptInbox {
    /// How far the device is; absent before the first change.
    pub place: Option<InboxPlace>,
    /// Conversations by their ids.
    pub conversations: BTreeMap<String, ConversationView>,
}

impl KeptInbox {
    /// Takes a change. The items are with the program.
    pub fn take(&mut self, change: &InboxChange) {
        if change.reset {
            self.conversations.clear();
        }
        for row in &change.conversations {
            let row = ConversationView { items: Vec::new(), ..row.clone() };
            self.conversations.insert(row.conversation.clone(), row);
        }
        self.place = Some(change.place.clone());
    }
}

/// Parts of an answer, or of mail, that become a change.
#[derive(Debug, Default)]
pub(super) struct Parts {
    reset: bool,
    /// New items by the ids of all changed conversations.
    items: BTreeMap<String, Vec<ItemView>>,
    hidden: Vec<PlaceView>,
    undelivered: Vec<UndeliveredView>,
}

impl Parts {
    pub(super) fn of_answer(answer: &InboxAnswer) -> Self {
        let mut parts = Parts { reset: answer.reset, ..Parts::default() };
        parts.add(&answer.conversations, &answer.hidden, &answer.undelivered);
        parts
    }

    /// Takes the news of groups, and the rest of mail whose version is new to the device.
    pub(super) fn of_mail(mail: &Mail, is_new: bool) -> Self {
        let mut parts = Parts::default();
        if is_new {
            parts.add(&mail.conversations, &mail.hidden, &mail.undelivered);
        }
        for group in &mail.groups {
            parts.items.entry(group.conversation.clone()).or_default().extend(group.items.iter().cloned());
        }
        parts
    }

    fn add(&mut self, rows: &[ConversationView], hidden: &[PlaceView], undelivered: &[UndeliveredView]) {
        for row in rows {
            self.items.entry(row.conversation.clone()).or_default().extend(row.items.iter().cloned());
        }
        self.hidden.extend_from_slice(hidden);
        self.undelivered.extend_from_slice(undelivered);
    }

    /// Makes the change, with the conversations as the book has them.
    pub(super) fn into_change(self, book: &InboxBook, cursor: Option<String>) -> InboxChange {
        let rows = self.items.into_iter().filter_map(|(id, mut items)| {
            let row = book.conversations().get(&id)?;
            items.sort_by_key(|item| item.position);
            // Own items of a group come with the row, and with the news of the group.
            items.dedup_by_key(|item| item.position);
            Some(ConversationView { items, ..row.clone() })
        });
        InboxChange {
            reset: self.reset,
            conversations: rows.collect(),
            hidden: self.hidden,
            undelivered: self.undelivered,
            unread: book.unread(),
            place: InboxPlace {
                user: book.user().clone(),
                cursor,
                version: book.version(),
                unread_direct: book.unread_direct(),
            },
        }
    }
}
