//! Drafts of messages for tests.

use barrage_bus::{Draft, Topic};
use barrage_protocol::Class;

pub(crate) fn draft(room: &str, sender: &str, id: &str, class: Class) -> Draft {
    Draft {
        room: room.parse().unwrap(),
        class,
        sender: Some(sender.parse().unwrap()),
        id: Some(id.parse().unwrap()),
        fingerprint: 1,
        to: None,
        trace: None,
        body: format!(r#"{{"id":"{id}"}}"#).into(),
    }
}

pub(crate) fn topic(room: &str) -> Topic {
    Topic::Room(room.parse().unwrap())
}
