use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use barrage_protocol::UserId;

use crate::admission::Eviction;
use crate::room::{Room, RoomKey, View};
use crate::viewer::{Audience, Viewer, address};

/// Viewers of one shard: by room, and all connections by their viewer's address.
#[derive(Default)]
pub(super) struct Members {
    by_room: HashMap<RoomKey, Audience<Viewer>>,
    /// Connections in a room, on their way into one, or on their way out.
    by_address: HashMap<usize, Rc<Viewer>>,
    /// Addresses of the connections that are for the inbox alone.
    roomless: HashSet<usize>,
}

impl Members {
    /// Adds a connection that has not joined.
    pub(super) fn add(&mut self, viewer: &Rc<Viewer>) {
        self.by_address.insert(address(viewer), Rc::clone(viewer));
    }

    /// Removes a connection that has left its room. Returns whether it was for the inbox alone.
    pub(super) fn remove(&mut self, viewer: &Viewer) -> bool {
        let address = address(viewer);
        self.by_address.remove(&address);
        self.roomless.remove(&address)
    }

    /// Joins a connection that is for the inbox alone.
    pub(super) fn enter_inbox(&mut self, viewer: &Viewer) {
        self.roomless.insert(address(viewer));
    }

    /// Adds a viewer to its room, and announces the shard's waves to the room's hub.
    pub(super) fn enter(&mut self, shard: usize, room: &Room, viewer: Rc<Viewer>, wave_viewers_max: usize) {
        if viewer.encoding.is_lines() {
            room.add_line_reader();
        }
        let audience = self.by_room.entry(room.key.clone()).or_default();
        audience.enter(viewer, wave_viewers_max);
        room.set_waves(shard, audience.waves());
    }

    /// Removes a viewer from its room, and the room itself after its last viewer.
    pub(super) fn leave(&mut self, shard: usize, room: &Room, viewer: &Rc<Viewer>) {
        let Some(audience) = self.by_room.get_mut(&room.key) else { return };
        audience.leave(viewer);
        if viewer.encoding.is_lines() {
            room.remove_line_reader();
        }
        room.set_waves(shard, audience.waves());
        if audience.waves() == 0 {
            self.by_room.remove(&room.key);
        }
    }

    /// Adapts the waves of a room to a size after a delivery to one of them, and announces them to the room's
    /// hub. The delivery must not be over: until then the hub sends no other one.
    pub(super) fn balance(&mut self, shard: usize, room: &Room, wave: usize, wave_viewers_max: usize) {
        let Some(audience) = self.by_room.get_mut(&room.key) else { return };
        if audience.balance(wave, wave_viewers_max) {
            room.set_waves(shard, audience.waves());
        }
    }

    /// Viewers of one wave of a room.
    pub(super) fn wave(&self, room: &RoomKey, wave: usize) -> &[Rc<Viewer>] {
        self.by_room.get(room).map_or(&[], |audience| audience.wave(wave))
    }

    /// Viewers that have joined: over all rooms of the shard, and those for the inbox alone.
    pub(super) fn joined(&self) -> impl Iterator<Item = &Rc<Viewer>> {
        let roomless = self.roomless.iter().filter_map(|address| self.by_address.get(address));
        self.by_room.values().flat_map(Audience::iter).chain(roomless)
    }

    /// Connections in rooms and outside of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Rc<Viewer>> {
        self.by_address.values()
    }

    /// Connections that get the mail of their users.
    pub(super) fn attached(&self) -> impl Iterator<Item = &Rc<Viewer>> {
        self.all().filter(|viewer| viewer.is_attached.get())
    }

    pub(super) fn by_address(&self, address: usize) -> Option<&Rc<Viewer>> {
        self.by_address.get(&address)
    }

    /// Returns a connection if it is the user's and has joined a room. Another user's connection may
    /// have the address of one that has gone.
    pub(super) fn device(&self, address: usize, user: &UserId) -> Option<&Rc<Viewer>> {
        let viewer = self.by_address.get(&address)?;
        (viewer.is_of(user) && viewer.room.borrow().is_some()).then_some(viewer)
    }

    /// Whether no viewer has joined.
    pub(super) fn is_empty(&self) -> bool {
        self.by_room.is_empty() && self.roomless.is_empty()
    }

    /// Closes the connections that the eviction concerns, among all of the shard.
    pub(super) fn evict(&self, eviction: &Eviction) {
        if let Some(room) = &eviction.room {
            for view in View::ALL {
                let key = RoomKey { id: room.clone(), view };
                let audience = self.by_room.get(&key).into_iter().flat_map(Audience::iter);
                audience.for_each(|viewer| evict_if_concerned(viewer, eviction));
            }
        } else {
            self.all().for_each(|viewer| evict_if_concerned(viewer, eviction));
        }
    }

    /// Closes one connection if the eviction concerns it.
    pub(super) fn evict_at(&self, address: usize, eviction: &Eviction) {
        if let Some(viewer) = self.by_address.get(&address) {
            evict_if_concerned(viewer, eviction);
        }
    }
}

fn evict_if_concerned(viewer: &Viewer, eviction: &Eviction) {
    let room = viewer.room.borrow();
    if eviction.concerns(room.as_ref().map(|room| &room.id), viewer.user.borrow().as_ref()) {
        viewer.close(eviction.refusal.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use barrage_protocol::Code;

    use super::*;
    use crate::admission::Scope;
    use crate::viewer::test_viewer;

    async fn joined(members: &mut Members, room: &Arc<Room>, user: Option<&str>) -> Rc<Viewer> {
        let viewer = Rc::new(test_viewer(1 << 20).await.0);
        *viewer.user.borrow_mut() = user.map(|user| user.parse().unwrap());
        *viewer.room.borrow_mut() = Some(Arc::clone(room));
        members.add(&viewer);
        members.enter(0, room, Rc::clone(&viewer), 2);
        viewer
    }

    fn room(id: &str) -> Arc<Room> {
        Arc::new(Room::new(id.parse().unwrap(), 1))
    }

    #[tokio::test]
    async fn the_hub_sees_as_many_waves_as_the_shard_has() {
        let (mut members, room) = (Members::default(), room("demo"));
        let mut viewers = Vec::new();
        for _ in 0..3 {
            viewers.push(joined(&mut members, &room, None).await);
        }
        assert_eq!((room.waves(), members.wave(&room.key, 1).len()), (2, 1));
        for viewer in &viewers {
            members.leave(0, &room, viewer);
        }
        assert_eq!(room.waves(), 0);
        assert!(members.is_empty() && members.all().count() == 3, "the connections still close");
    }

    #[tokio::test]
    async fn an_eviction_closes_its_room_and_scope_alone() {
        let (mut members, demo, other) = (Members::default(), room("demo"), room("other"));
        let kicked = joined(&mut members, &demo, Some("u")).await;
        let elsewhere = joined(&mut members, &other, Some("u")).await;
        let stranger = joined(&mut members, &demo, Some("v")).await;
        // The addresses of a stranger and of no connection: the user's device has gone meanwhile.
        for address in [address(&kicked), address(&elsewhere), address(&stranger), 1] {
            members.evict_at(address, &Eviction::kick(demo.id.clone(), "u".parse().unwrap()));
        }
        assert!(members.device(address(&stranger), &"u".parse().unwrap()).is_none());
        assert!(members.device(address(&elsewhere), &"u".parse().unwrap()).is_some());
        let codes = [&kicked, &elsewhere, &stranger].map(|viewer| viewer.closing.get());
        assert_eq!(codes, [Some(Code::Kicked), None, None]);
        members.evict(&Eviction::revoked(Scope::User("u".parse().unwrap())));
        assert_eq!(elsewhere.closing.get(), Some(Code::Unauthorized));
    }
}
