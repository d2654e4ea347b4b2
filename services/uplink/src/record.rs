//! What the flight recorder keeps of each post: no text, and of its sender a hash.

use barrage_http::ApiError;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use barrage_protocol::{Class, RoomId};
use barrage_recorder::Record;
use barrage_token::Identity;
use serde::{Serialize, Serializer};

use crate::limit::RULES;
use crate::routes::Uplink;
use crate::send::unix_ms;
use crate::trace::Trace;

/// A room that is offered so many times what it shows is in trouble.
const FLOOD: u64 = 4;

/// One post, on its way through the checks.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct PostRecord {
    /// Absent where the post was refused before it was read.
    class: Option<Class>,
    /// Bytes of its text.
    bytes: u32,
    #[serde(serialize_with = "hex")]
    user: u64,
    /// `broadcast`, `held`, `duplicate`, or the code of the refusal.
    outcome: &'static str,
    /// The check that held or refused it; empty where none did.
    rule: &'static str,
}

impl Record for PostRecord {
    const SOURCE: &'static str = "uplink";
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn hex<S: Serializer>(hash: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{hash:016x}"))
}

/// Bytes of a post's text; a gift's is its name.
pub(crate) fn bytes(post: &Post) -> u32 {
    let text = match post {
        Post::Chat { text, .. } | Post::SuperChat { text, .. } => text.as_str(),
        Post::Gift { gift, .. } => gift.name.as_str(),
        Post::Like { .. } => "",
    };
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// Keeps a post that was read, as its trace has it; a flood makes a file.
pub(crate) fn answered(uplink: &Uplink, trace: &Trace, bytes: u32, result: &Result<PostAnswer, ApiError>) {
    let record = PostRecord {
        class: Some(trace.class()),
        bytes,
        user: uplink.recorder.hash(trace.user().as_str()),
        outcome: trace.outcome(),
        rule: trace.rule(),
    };
    uplink.recorder.push(trace.room(), trace.at_ms(), record);
    let Ok(PostAnswer { outcome: Outcome::Held, limit: Some(limit), .. }) = result else { return };
    if limit.offered.is_some_and(|offered| offered >= limit.limit.saturating_mul(FLOOD)) {
        uplink.recorder.alert(trace.room(), "flood", unix_ms());
    }
}

/// Keeps a post that was refused before it was read.
pub(crate) fn turned_away(uplink: &Uplink, room: &RoomId, by: &Identity, error: &ApiError) {
    let limit = error.0.limit.as_ref();
    let rule = limit.and_then(|limit| RULES.into_iter().find(|rule| *rule == limit.rule));
    let record = PostRecord {
        class: None,
        bytes: 0,
        user: uplink.recorder.hash(by.user.as_str()),
        outcome: error.0.code.label(),
        rule: rule.unwrap_or_default(),
    };
    uplink.recorder.push(room, unix_ms(), record);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its time and room, as docs/guide/tune.md says: a queue of them is what the memory is for.
    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<PostRecord>() + 2 * size_of::<u64>(), 64);
    }

    #[test]
    fn a_text_is_a_number_of_bytes() {
        let post = |json: &str| bytes(&serde_json::from_str(json).unwrap());
        assert_eq!(post(r#"{"type":"chat","id":"a","text":"弹幕!"}"#), 7);
        assert_eq!(post(r#"{"type":"gift","id":"a","gift":{"name":"rose","count":1}}"#), 4);
        assert_eq!(post(r#"{"type":"like","id":"a","count":3}"#), 0);
    }
}
