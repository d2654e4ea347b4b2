//! Compares accepted letters with what users read in the end, and unread numbers with a recount from a list.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::figure::Figure;

/// Largest number of examples in a judgement.
const EXAMPLES_MAX: usize = 10;

/// A letter, or an item of a group, that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Conversation that the answer named.
    pub conversation: String,
    /// Text, which no other letter has.
    pub text: String,
    /// Place in the lane of the conversation.
    pub sequence: u64,
}

/// Read places of one user in one conversation that the generator asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Place that must have been taken: it was asked for after the last fault.
    pub least: u64,
    /// Greatest place that was ever asked for.
    pub most: u64,
}

/// The generator's own list of a run.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Users of each conversation.
    pub members: BTreeMap<String, HashSet<String>>,
    /// Letters that were answered `accepted` or `duplicate`.
    pub accepted: Vec<Accepted>,
    /// Texts of all letters that were sent, answered or not.
    pub sent: HashSet<String>,
    /// Read places by user and conversation.
    pub reads: HashMap<(String, String), Reads>,
}

/// An item as a user reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Position in the conversation, from 1.
    pub position: u64,
    /// Sender of the item.
    pub sender: String,
    /// Text of the item.
    pub text: String,
}

/// A conversation as a user reads it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Id of the conversation.
    pub id: String,
    /// Position of the newest item.
    pub head: u64,
    /// Position up to which the user has read.
    pub read: u64,
    /// Unread number as the server states it.
    pub unread: u64,
    /// All items, by position.
    pub items: Vec<Item>,
}

/// The inbox of one user in the end, as a new device gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// User of the inbox.
    pub user: String,
    /// Total of the unread numbers as the server states it.
    pub unread: u64,
    /// Conversations with all their items.
    pub conversations: Vec<Conversation>,
}

/// Sums over all pairs of a letter and a member of its conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InboxJudgement {
    /// Letters that the server accepted.
    pub accepted: u64,
    /// Pairs: accepted, and not readable.
    pub lost: u64,
    /// Pairs: readable more than once.
    pub doubled: u64,
    /// Items with a text that no user sent.
    pub foreign: u64,
    /// Items whose place in the lane is not behind that of the item before.
    pub disordered: u64,
    /// Positions that are missing between the first item and the head.
    pub holes: u64,
    /// Sum of the differences between unread numbers and their recounts, totals included.
    pub unread_error: u64,
    /// Read places that are before the last one asked for, or beyond all that were asked for.
    pub reads_wrong: u64,
    /// Examples of what is wrong.
    pub examples: Vec<String>,
}

impl InboxJudgement {
    /// Judges the inboxes of all users against the generator's list.
    #[must_use]
    pub fn new(kept: &Kept, inboxes: &[Inbox]) -> Self {
        let mut judged = InboxJudgement { accepted: kept.accepted.len() as u64, ..Self::default() };
        let mut promised: BTreeMap<&str, HashMap<&str, u64>> = BTreeMap::new();
        for letter in &kept.accepted {
            let of = promised.entry(&letter.conversation).or_default();
            of.insert(&letter.text, letter.sequence);
        }
        for (conversation, letters) in &promised {
            let members = kept.members.get(*conversation).into_iter().flatten();
            for user in members {
                let found = inboxes
                    .iter()
                    .find(|inbox| inbox.user == *user)
                    .and_then(|inbox| inbox.conversations.iter().find(|found| found.id == *conversation));
                judged.judge_letters(user, conversation, letters, found);
            }
        }
        let none = HashMap::new();
        for inbox in inboxes {
            let mut total = 0;
            for conversation in &inbox.conversations {
                let letters = promised.get(conversation.id.as_str()).unwrap_or(&none);
                judged.judge_items(kept, conversation, letters);
                judged.judge_reads(kept, &inbox.user, conversation);
                total += judged.recount(&inbox.user, conversation);
            }
            judged.compare_unread(&format!("total of {}", inbox.user), inbox.unread, total);
        }
        judged
    }

    fn judge_letters(
        &mut self,
        user: &str,
        conversation: &str,
        letters: &HashMap<&str, u64>,
        found: Option<&Conversation>,
    ) {
        let mut copies: HashMap<&str, u64> = HashMap::new();
        for item in found.into_iter().flat_map(|found| &found.items) {
            *copies.entry(&item.text).or_default() += 1;
        }
        for text in letters.keys().filter(|text| !copies.contains_key(*text)) {
            self.lost += 1;
            self.example(|| format!("{user} lacks {text:?} of {conversation}"));
        }
        for (text, count) in copies.iter().filter(|(_, count)| **count > 1) {
            self.doubled += 1;
            self.example(|| format!("{user} has {text:?} of {conversation} {count} times"));
        }
    }

    fn judge_items(&mut self, kept: &Kept, conversation: &Conversation, letters: &HashMap<&str, u64>) {
        let (mut next, mut last) = (1, 0);
        for item in &conversation.items {
            self.holes += item.position.saturating_sub(next);
            next = item.position + 1;
            if !kept.sent.contains(&item.text) {
                self.foreign += 1;
                self.example(|| format!("nobody sent {:?}", item.text));
            }
            let Some(sequence) = letters.get(item.text.as_str()) else { continue };
            if *sequence <= last {
                self.disordered += 1;
                self.example(|| {
                    format!("{:?} has {sequence} behind {last} in {}", item.text, conversation.id)
                });
            }
            last = last.max(*sequence);
        }
        self.holes += (conversation.head + 1).saturating_sub(next);
    }

    fn judge_reads(&mut self, kept: &Kept, user: &str, conversation: &Conversation) {
        let key = (user.to_owned(), conversation.id.clone());
        let asked = kept.reads.get(&key).copied().unwrap_or_default();
        if !(asked.least..=asked.most).contains(&conversation.read) {
            self.reads_wrong += 1;
            self.example(|| {
                format!("{user} has read {} up to {}, asked {asked:?}", conversation.id, conversation.read)
            });
        }
    }

    /// Counts the items behind the read place that others sent. Returns the count.
    fn recount(&mut self, user: &str, conversation: &Conversation) -> u64 {
        let counts = |item: &&Item| item.position > conversation.read && item.sender != user;
        let counted = conversation.items.iter().filter(counts).count() as u64;
        self.compare_unread(&format!("{} of {user}", conversation.id), conversation.unread, counted);
        counted
    }

    fn compare_unread(&mut self, what: &str, stated: u64, counted: u64) {
        let error = stated.abs_diff(counted);
        self.unread_error += error;
        if error > 0 {
            self.example(|| format!("{what}: {stated} unread, and {counted} by the list"));
        }
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }

    /// Figures of the promise about letters.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::some("letters accepted", self.accepted),
            Figure::none("letters lost at a member", self.lost),
            Figure::none("letters doubled at a member", self.doubled),
            Figure::none("items that nobody sent", self.foreign),
            Figure::none("items out of the order of the lane", self.disordered),
            Figure::none("holes in positions", self.holes),
            Figure::none("unread error", self.unread_error),
            Figure::none("read places lost or invented", self.reads_wrong),
        ]
    }
}

#[cfg(test)]
mod tests;
