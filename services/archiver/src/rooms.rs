//! Rooms in the store. The store needs the start of a room's stream before its first message,
//! because offsets of messages count from that start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use barrage_bus::{RoomSettings, Settings, Stored};
use barrage_protocol::RoomId;
use barrage_store::{Room, Store, StoreError};

/// The settings of each room as they were last written to the store, in the allocation of the bus. Bounded
/// by the rooms of the bus.
#[derive(Debug, Default)]
pub(crate) struct RoomMirror {
    written: HashMap<RoomId, Arc<RoomSettings>>,
}

impl RoomMirror {
    /// Writes the rooms of a batch whose settings changed since they were written.
    pub(crate) async fn write(
        &mut self,
        store: &dyn Store,
        settings: &Settings,
        batch: &[Stored],
    ) -> Result<(), StoreError> {
        let mut checked = HashSet::new();
        for Stored { message, .. } in batch {
            let id = &message.room;
            if !checked.insert(id) {
                continue;
            }
            let Some(now) = settings.rooms.get_shared(id) else {
                continue;
            };
            // Without a start, the store counts offsets from the room's first message.
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
            self.written.insert(id.clone(), Arc::clone(now));
        }
        Ok(())
    }
}
