//! The flight recorder's record of a post. It holds no text, and a hash in place of the sender.

use barrage_protocol::Class;
use barrage_protocol::post::Post;
use barrage_recorder::Record;
use serde::{Serialize, Serializer};

/// One post, as the flight recorder keeps it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct PostRecord {
    /// Absent when the post was refused before its body was read.
    pub(super) class: Option<Class>,
    /// Length of the post's text in bytes.
    pub(super) bytes: u32,
    #[serde(serialize_with = "hex")]
    pub(super) user: u64,
    /// `broadcast`, `held`, `duplicate`, or the code of the refusal.
    pub(super) outcome: &'static str,
    /// The check that held or refused the post; empty when none did.
    pub(super) rule: &'static str,
}

impl Record for PostRecord {
    const SOURCE: &'static str = "uplink";
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn hex<S: Serializer>(hash: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{hash:016x}"))
}

/// Returns the length of a post's text in bytes. The text of a gift is its name.
pub(super) fn text_bytes(post: &Post) -> u32 {
    let text = match post {
        Post::Chat { text, .. } | Post::SuperChat { text, .. } => text.as_str(),
        Post::Gift { gift, .. } => gift.name.as_str(),
        Post::Like { .. } | Post::Reaction { .. } => "",
    };
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/guide/tune.md computes the recorder's memory from this size, with a time and a room.
    #[test]
    fn record_with_time_and_room_takes_64_bytes() {
        assert_eq!(size_of::<PostRecord>() + 2 * size_of::<u64>(), 64);
    }

    #[test]
    fn text_is_recorded_as_its_length_in_bytes() {
        let bytes = |json: &str| text_bytes(&serde_json::from_str(json).unwrap());
        assert_eq!(bytes(r#"{"type":"chat","id":"a","text":"弹幕!"}"#), 7);
        assert_eq!(bytes(r#"{"type":"gift","id":"a","gift":{"name":"rose","count":1}}"#), 4);
        assert_eq!(bytes(r#"{"type":"like","id":"a","count":3}"#), 0);
    }
}
