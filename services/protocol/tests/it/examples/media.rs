//! The page of media, and media in bodies: every example is what its type writes.

use barrage_protocol::MediaView;
use barrage_protocol::media::{AvatarAnswer, ReferenceAnswer, ReferenceRequest, RoomMedia};
use serde_json::Value;

use super::page::{PROTOCOL, Page};

const MEDIA: Page = Page(include_str!("../../../../../docs/reference/protocol-media.md"));

#[test]
fn reference_is_what_the_type_writes() {
    assert_eq!(MEDIA.read::<ReferenceRequest>("reference-request").len(), 1);
    assert_eq!(MEDIA.read::<ReferenceAnswer>("reference-answer").len(), 1);
    assert_eq!(MEDIA.read::<RoomMedia>("room-media").len(), 1);
    assert_eq!(MEDIA.read::<ReferenceRequest>("avatar-request").len(), 1);
    assert_eq!(MEDIA.read::<AvatarAnswer>("avatar-answer").len(), 1);
}

#[test]
fn body_with_a_picture_is_what_the_type_writes() {
    let bodies = PROTOCOL.tagged("body");
    let bodies = bodies.iter().map(|body| serde_json::from_str::<Value>(&body.text).unwrap());
    let shown: Vec<_> = bodies.filter(|body| body["media"].is_object()).collect();
    assert_eq!(shown.len(), 1);
    let view: MediaView = serde_json::from_value(shown[0]["media"].clone()).unwrap();
    assert_eq!(serde_json::to_value(&view).unwrap(), shown[0]["media"]);
}
