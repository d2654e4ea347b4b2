//! What reaches letters, media and push: cursors, conversations, events of a lane, subscriptions, digests.

use barrage_inbox::{ConversationId, Cursor, Event};
use barrage_protocol::Digest;
use barrage_push::WebSubscription;

/// Reads a text as a cursor, a conversation's id and a digest.
pub(super) fn inbox(bytes: &[u8]) {
    if let Ok(event) = Event::from_json(bytes) {
        let json = event.to_json();
        assert_eq!(Event::from_json(&json).expect("it was just written"), event);
        assert_eq!(event.key().is_some(), event.fingerprint() != 0, "letters alone have both");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = Cursor::parse(text) {
        let shown = cursor.to_string();
        assert_eq!(Cursor::parse(&shown).expect("it was just written"), cursor);
        assert!(shown.len() <= 1_024, "{} bytes", shown.len());
    }
    if let Ok(id) = ConversationId::parse(text) {
        assert_eq!(id.as_str(), text, "an id is its text");
        assert!(text.is_ascii() && text.len() <= 128, "{} bytes", text.len());
    }
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
}

/// Reads what a browser registers for notifications.
pub(super) fn subscription(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(subscription) = WebSubscription::parse(text) else { return };
    let (endpoint, origin) = (subscription.endpoint(), subscription.origin());
    assert!(endpoint.starts_with(origin) && origin.starts_with("https://"), "{endpoint:?} {origin:?}");
    // A client of HTTP reads the same host and port, so that no other server is asked than the one that was checked.
    let uri: http::Uri = endpoint.parse().expect("an address of HTTP");
    let authority = uri.authority().expect("a host");
    assert_eq!(&origin["https://".len()..], authority.as_str());
}
