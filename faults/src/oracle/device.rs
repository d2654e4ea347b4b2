//! A device that keeps its inbox by cursors, for the comparison with a new device.

use std::collections::BTreeMap;

use barrage_protocol::inbox::InboxAnswer;

/// What a device keeps of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    head: u64,
    read: u64,
    unread: u64,
}

/// State of a device. Two devices of a user that are in step are equal but for their cursors.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// Cursor of the last answer.
    pub cursor: Option<String>,
    /// Answers that said `reset` after the first one.
    pub resets: u64,
    /// Heads, read places and versions that went back without a `reset`.
    pub went_back: u64,
    version: u64,
    unread: u64,
    conversations: BTreeMap<String, Known>,
}

impl Device {
    /// Takes an answer of `GET /v1/inbox`. Returns whether the device must ask again at once.
    pub fn take(&mut self, answer: InboxAnswer) -> bool {
        if answer.reset {
            self.resets += u64::from(self.cursor.is_some());
            self.conversations.clear();
        } else {
            self.went_back += u64::from(answer.version < self.version);
        }
        for view in answer.conversations {
            let new = Known { head: view.head, read: view.read, unread: view.unread };
            if view.deleted {
                self.conversations.remove(&view.conversation);
            } else if let Some(old) = self.conversations.insert(view.conversation, new) {
                self.went_back += u64::from(new.head < old.head || new.read < old.read);
            }
        }
        (self.cursor, self.version, self.unread) = (Some(answer.cursor), answer.version, answer.unread);
        answer.more
    }

    /// Whether another device of the user has the same version, conversations and numbers.
    #[must_use]
    pub fn is_in_step_with(&self, other: &Device) -> bool {
        (self.version, self.unread, &self.conversations)
            == (other.version, other.unread, &other.conversations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> InboxAnswer {
        serde_json::from_str(text).unwrap()
    }

    fn conversation(head: u64, read: u64) -> String {
        format!(
            r#"{{"conversation":"d.1","kind":"direct","head":{head},"at_ms":1,"unread":{},"read":{read}}}"#,
            head - read
        )
    }

    #[test]
    fn answers_bring_a_device_in_step_with_a_new_one() {
        let (mut old, mut new) = (Device::default(), Device::default());
        let first =
            format!(r#"{{"cursor":"a","version":1,"unread":1,"conversations":[{}]}}"#, conversation(1, 0));
        assert!(!old.take(answer(&first)));
        let second = first
            .replace(&conversation(1, 0), &conversation(3, 2))
            .replace(r#""version":1"#, r#""version":2"#);
        new.take(answer(&second));
        assert!(!old.is_in_step_with(&new), "a device that lacks two letters is not in step");
        assert!(old.take(answer(&second.replace("}]}", r#"}],"more":true}"#))));
        assert!(old.is_in_step_with(&new) && old.went_back == 0);
        old.take(answer(&first));
        assert_eq!(old.went_back, 2, "version and head went back");
        old.take(answer(&second.replace(r#""version":2"#, r#""version":2,"reset":true"#)));
        assert!(old.resets == 1 && old.went_back == 2 && old.is_in_step_with(&new));
    }
}
