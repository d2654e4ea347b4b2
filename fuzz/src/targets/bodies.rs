//! Bodies of requests: posts and forms, the tunnel, texts, emote sets, ids.

use std::fmt::Debug;
use std::str::FromStr;

use barrage_bus::EmoteWords;
use barrage_http::body;
use barrage_moderation::{Folded, Mask, WordList};
use barrage_protocol::action::{ActionRequest, RoleRequest};
use barrage_protocol::attribute::{AttributeKey, AttributeRequest};
use barrage_protocol::emote::{EmoteRange, EmoteSet, byte_ranges};
use barrage_protocol::entry::RaceReport;
use barrage_protocol::event::{CustomEvent, EventRequest, EventType};
use barrage_protocol::facts::{ClientName, ClientVersion};
use barrage_protocol::poll::{PollRequest, VoteRequest};
use barrage_protocol::post::{Package, Post};
use barrage_protocol::review::{ReportRequest, ReviewRequest};
use barrage_protocol::words::{WordsRequest, WordsTestRequest};
use barrage_protocol::{ClientFacts, MessageId, RoomId, Subprotocol, Traceparent, UserId};
use barrage_uplink::{clean_text, count_tunnel_requests};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Requests of one tunnel's body at most.
const TUNNEL_REQUESTS_MAX: usize = 16;
/// Characters of a text, as uplinks are configured by default.
const TEXT_CHARS_MAX: usize = 200;
/// Bytes of an error's text: it repeats a bounded part of the body.
const ERROR_BYTES_MAX: usize = 4_096;

/// Parses a body as each kind of request.
pub(super) fn bodies(bytes: &[u8]) {
    form::<Post>(bytes);
    form::<Package>(bytes);
    form::<PollRequest>(bytes);
    form::<VoteRequest>(bytes);
    form::<ActionRequest>(bytes);
    form::<RoleRequest>(bytes);
    form::<AttributeRequest>(bytes);
    form::<ReviewRequest>(bytes);
    form::<ReportRequest>(bytes);
    form::<WordsRequest>(bytes);
    form::<WordsTestRequest>(bytes);
    form::<EventRequest>(bytes);
    form::<RaceReport>(bytes);
    form::<EmoteSet>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let facts = ClientFacts::parse(text);
        let json = serde_json::to_string(&facts).expect("facts are plain data");
        assert_eq!(ClientFacts::parse(&json), facts, "facts keep what they keep");
        assert!(json.len() < 1_024, "facts are bounded");
        drop(CustomEvent::read(text));
    }
}

/// Parses a body; what is written of it is read and written again the same way.
fn form<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    match body::json::<T>(bytes) {
        Ok(form) => {
            let json = serde_json::to_vec(&form).expect("forms are plain data");
            let Ok(again) = body::json::<T>(&json) else { panic!("the form of its own is refused") };
            assert_eq!(serde_json::to_vec(&again).expect("forms are plain data"), json);
        }
        Err(error) => assert!(error.0.message.len() <= ERROR_BYTES_MAX, "{} bytes", error.0.message.len()),
    }
}

/// Splits the body of a tunnel.
pub(super) fn tunnel(bytes: &[u8]) {
    let Some(requests) = count_tunnel_requests(bytes) else { return };
    assert!((1..=TUNNEL_REQUESTS_MAX).contains(&requests), "{requests} requests");
}

/// Cleans a text as posts and names are cleaned.
pub(super) fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some(clean) = clean_text(&text, TEXT_CHARS_MAX) else { return };
    assert!(!clean.is_empty() && clean.chars().count() <= 4 * TEXT_CHARS_MAX, "{clean:?}");
    assert!(!clean.contains(char::is_control), "{clean:?}");
    assert!(!clean.starts_with(' ') && !clean.ends_with(' ') && !clean.contains("  "), "{clean:?}");
    assert_eq!(clean_text(&clean, TEXT_CHARS_MAX).as_ref(), Some(&clean), "a clean text stays as it is");
}

/// Reads a set of emotes, and places of emotes in a text.
pub(super) fn emotes(bytes: &[u8]) {
    let (set, text) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    if let Ok(set) = body::json::<EmoteSet>(set) {
        let words = EmoteWords::new(set.clone());
        for emote in &set.emotes {
            let found = words.find(&emote.name).expect("every name is found");
            assert_eq!(found.name, emote.name);
        }
        assert_eq!(serde_json::from_slice::<EmoteSet>(&words.json()).expect("it was just written"), set);
    }
    let Ok(ranges) = serde_json::from_slice::<Vec<EmoteRange>>(set) else { return };
    let text = String::from_utf8_lossy(text);
    for (range, _) in byte_ranges(&text, &ranges) {
        assert!(text.get(range).is_some(), "ranges lie between characters");
    }
}

/// Builds a list of the words above the first empty line, and masks what it finds in the text below.
pub(super) fn words(bytes: &[u8]) {
    let input = String::from_utf8_lossy(bytes);
    let (words, text) = input.split_once("\n\n").unwrap_or((&input, ""));
    let Ok(list) = WordList::build(words.lines()) else { return };
    // Texts are cleaned, and so bounded, before any list sees them.
    let text: String = text.chars().take(4 * TEXT_CHARS_MAX).collect();
    let folded = Folded::new(&text);
    let mut mask = Mask::default();
    mask.add(&folded, list.find(&folded));
    let masked = mask.apply(&text);
    assert!(mask.is_empty() || masked != text || text.contains('*'), "{text:?}");
    assert!(masked.len() <= text.len() && masked.is_empty() == text.is_empty(), "{text:?} {masked:?}");
}

/// Parses a text as each kind of id.
pub(super) fn ids(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    id::<RoomId>(text, |id| id.to_string());
    id::<UserId>(text, |id| id.to_string());
    id::<MessageId>(text, |id| id.to_string());
    id::<AttributeKey>(text, |key| key.to_string());
    id::<EventType>(text, |event| event.as_str().to_owned());
    if let Ok(parent) = text.parse::<Traceparent>() {
        let again: Traceparent = parent.context.traceparent().parse().expect("it was just written");
        assert_eq!(again.context, parent.context);
    }
    if let Ok(room) = RoomId::parse(text) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        assert!((1..=64).contains(&text.len()) && room.as_str().chars().all(is_plain), "no wildcard of NATS");
    }
    let name = ClientName::parse(text);
    assert!(name.is_none_or(|name| name.as_str().len() <= 64));
    if let Some(version) = ClientVersion::parse(text) {
        assert_eq!(ClientVersion::parse(&version.to_string()), Some(version));
    }
    assert!(Subprotocol::find(text).is_none() || text.starts_with("barrage."), "{text:?}");
}

fn id<T: FromStr<Err: Debug> + PartialEq + Debug>(text: &str, show: impl Fn(&T) -> String) {
    let Ok(id) = text.parse::<T>() else { return };
    assert_eq!(show(&id), text, "an id is its text");
    assert!(text.is_ascii() && text.len() <= 128, "{} bytes", text.len());
}
