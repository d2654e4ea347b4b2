//! The attributes of a room as answers to requests. Pure.

use barrage_bus::{RoomAttributes, Settings};
use barrage_protocol::RoomId;
use barrage_protocol::attribute::{Attribute, AttributeKey, AttributeView, AttributesAnswer};
use barrage_protocol::state::Versioned;

/// Lists the attributes of a room with the rules of their writers.
pub(crate) fn all(settings: &Settings, room: &RoomId) -> AttributesAnswer {
    let rules = settings.rooms.get(room).map(|room| room.attribute_rules.clone()).unwrap_or_default();
    let views = |all: &RoomAttributes| all.iter().filter_map(view).collect();
    AttributesAnswer { attributes: settings.attributes.get(room).map(views).unwrap_or_default(), rules }
}

/// Returns one attribute; `None` where the room has none under this key.
pub(crate) fn one(settings: &Settings, room: &RoomId, key: &AttributeKey) -> Option<AttributeView> {
    view((key, settings.attributes.get(room)?.get(key)?))
}

fn view((key, entry): (&AttributeKey, &Versioned<Attribute>)) -> Option<AttributeView> {
    let (version, attribute) = (entry.version, entry.value.clone()?);
    Some(AttributeView { key: key.clone(), version, attribute })
}
