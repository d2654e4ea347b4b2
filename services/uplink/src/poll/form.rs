//! The form of a poll: bounds, cleaned texts, and whether two requests are the same. Pure.

use std::collections::HashSet;

use barrage_protocol::code::Refusal;
use barrage_protocol::poll::{OPTION_CHARS_MAX, OPTIONS, Poll, PollRequest, QUESTION_CHARS_MAX, SECS};
use barrage_protocol::{Code, MessageId, RoomId};
use sha2::{Digest, Sha256};

use crate::room::SignalId;
use crate::text::CleanText;

/// Checks the bounds of a request, and makes the poll that starts at `now_ms`.
pub(super) fn checked(request: &PollRequest, now_ms: u64) -> Result<Poll, Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if !OPTIONS.contains(&request.options.len()) {
        return bad(format!("options: {} to {}", OPTIONS.start(), OPTIONS.end()));
    }
    if !SECS.contains(&request.secs) {
        return bad(format!("secs: {} to {}", SECS.start(), SECS.end()));
    }
    let question = cleaned("question", &request.question, QUESTION_CHARS_MAX)?;
    let options = request.options.iter().map(|option| cleaned("options", option, OPTION_CHARS_MAX));
    let options = options.collect::<Result<Vec<_>, _>>()?;
    if options.iter().collect::<HashSet<_>>().len() < options.len() {
        return bad("options: all different".into());
    }
    Ok(Poll {
        id: request.id.clone(),
        question,
        options,
        opened_ms: now_ms,
        ends_ms: now_ms.saturating_add(request.secs * 1_000),
        guests: request.guests,
        words: request.words,
    })
}

fn cleaned(field: &str, text: &str, chars_max: usize) -> Result<String, Refusal> {
    let cleaned = CleanText::new(text, chars_max).map_err(|error| {
        let limit = error.limit(field).map(Box::new);
        Refusal { limit, ..Refusal::new(Code::BadText, format!("{field}: {error}")) }
    })?;
    Ok(cleaned.into_string())
}

/// Whether two polls were asked for by the same request, at whatever times.
pub(super) fn is_same(one: &Poll, other: &Poll) -> bool {
    let at_zero = |poll: &Poll| Poll {
        ends_ms: poll.ends_ms.saturating_sub(poll.opened_ms),
        opened_ms: 0,
        ..poll.clone()
    };
    at_zero(one) == at_zero(other)
}

/// Returns the id of a signal about a poll, the same on every uplink: the bus publishes one signal of
/// several uplinks that close a poll at its end.
pub(super) fn signal_id(room: &RoomId, poll: &MessageId, what: &str) -> SignalId {
    let digest = Sha256::new()
        .chain_update(room.as_str())
        .chain_update([0])
        .chain_update(poll.as_str())
        .chain_update([0])
        .chain_update(what)
        .finalize();
    let name: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    let id = MessageId::parse(&format!("poll-{name}")).expect("45 characters of the alphabet");
    SignalId { id, fingerprint: 0 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(change: Value) -> PollRequest {
        let mut request =
            json!({ "id": "p", "question": "Left or right?", "options": ["left", "right"], "secs": 60 });
        if let Value::Object(change) = change {
            request.as_object_mut().unwrap().extend(change);
        }
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn polls_are_bounded_and_their_texts_are_clean() {
        let code = |change: Value| checked(&request(change), 1_000).map_err(|refusal| refusal.code).map(drop);
        let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        for (change, expected) in [
            (json!({}), Ok(())),
            (json!({ "options": many(10) }), Ok(())),
            (json!({ "options": many(11) }), Err(Code::BadRequest)),
            (json!({ "options": many(1_000) }), Err(Code::BadRequest)),
            (json!({ "options": ["one"] }), Err(Code::BadRequest)),
            (json!({ "options": ["a", " a\u{200B}"] }), Err(Code::BadRequest)),
            (json!({ "options": ["a", ""] }), Err(Code::BadText)),
            (json!({ "options": ["a", "b".repeat(41)] }), Err(Code::BadText)),
            (json!({ "question": "?".repeat(121) }), Err(Code::BadText)),
            (json!({ "question": "\u{202E}" }), Err(Code::BadText)),
            (json!({ "secs": 9 }), Err(Code::BadRequest)),
            (json!({ "secs": u64::MAX }), Err(Code::BadRequest)),
        ] {
            assert_eq!(code(change.clone()), expected, "{change}");
        }
        let poll = checked(&request(json!({ "question": " Left\u{7} or  right?" })), 1_000).unwrap();
        assert_eq!((poll.question.as_str(), poll.ends_ms), ("Left or right?", 61_000));
    }

    #[test]
    fn the_same_request_later_is_the_same_poll() {
        let poll = checked(&request(json!({})), 1_000).unwrap();
        assert!(is_same(&poll, &checked(&request(json!({})), 9_000).unwrap()));
        for other in
            [json!({ "secs": 61 }), json!({ "words": true }), json!({ "options": ["right", "left"] })]
        {
            assert!(!is_same(&poll, &checked(&request(other), 1_000).unwrap()));
        }
    }
}
