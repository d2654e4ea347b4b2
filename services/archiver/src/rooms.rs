//! Rooms as the archive needs them: before a room's messages are kept, the store
//! must know when its stream began, or their offsets would count from elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use barrage_bus::{RoomSettings, Settings};
use barrage_protocol::{Message, RoomId};
use barrage_store::{Room, Store, StoreError};

/// What was last written of each room. Bounded by the rooms that the bus lets
/// exist.
#[derive(Debug, Default)]
pub(crate) struct RoomMirror {
    written: HashMap<RoomId, RoomSettings>,
}

impl RoomMirror {
    /// Writes those rooms of the batch that changed since they were written.
    pub(crate) async fn write(
        &mut self,
        store: &dyn Store,
        settings: &Settings,
        batch: &[Arc<Message>],
    ) -> Result<(), StoreError> {
        let mut looked_at = HashSet::new();
        for message in batch {
            let id = &message.room;
            if !looked_at.insert(id) {
                continue;
            }
            let Some(now) = settings.rooms.get(id) else {
                continue;
            };
            // Without a start the store counts from the room's first message.
            if now.stream_started_at_ms == 0 || self.written.get(id) == Some(now) {
                continue;
            }
            let known = store.room(id).await?;
            let room = Room {
                id: id.clone(),
                title: now.title.clone(),
                created_at_ms: known.as_ref().map_or(message.at_ms, |room| room.created_at_ms),
                stream_started_at_ms: now.stream_started_at_ms,
                closed: now.closed,
            };
            if known.as_ref() != Some(&room) {
                store.put_room(&room).await?;
            }
            self.written.insert(id.clone(), now.clone());
        }
        Ok(())
    }
}
