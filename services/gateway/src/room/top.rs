//! The hottest rooms of the gateway.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use super::Room;

/// Rooms of the list at most.
pub(crate) const TOP_ROOMS_MAX: usize = 100;

/// One of the hottest rooms, as the admin API answers it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TopRoom {
    /// Id of the room.
    room: String,
    /// Viewers of the room on this gateway.
    viewers: u64,
    /// Messages given to viewers a second, each viewer counted.
    pub(crate) deliveries_per_s: f64,
    /// Messages a second that came from the bus.
    messages_per_s: f64,
    /// Heat of the room: `idle`, `warm`, `hot` or `celebrity`.
    heat: &'static str,
}

/// Newest list of the hottest rooms, hottest first.
#[derive(Debug, Default)]
pub(crate) struct TopRooms(Mutex<Arc<[TopRoom]>>);

impl TopRooms {
    pub(crate) fn newest(&self) -> Arc<[TopRoom]> {
        Arc::clone(&self.0.lock())
    }

    pub(crate) fn replace(&self, rooms: Vec<TopRoom>) {
        *self.0.lock() = rooms.into();
    }
}

/// Ranks rooms by their deliveries in the time since the last call, and by their viewers where the
/// deliveries are equal. The room of probes is no business of the platform and is left out. Takes the
/// rooms' traffic, so that there is one caller.
pub(crate) fn rank(rooms: &[Arc<Room>], elapsed: Duration) -> Vec<TopRoom> {
    let mut hottest = BinaryHeap::with_capacity(TOP_ROOMS_MAX + 1);
    for (at, room) in rooms.iter().enumerate() {
        let taken = room.traffic.take();
        if room.id.is_probe() {
            continue;
        }
        hottest.push(Reverse((taken.deliveries, room.viewers(), taken.messages, at)));
        if hottest.len() > TOP_ROOMS_MAX {
            hottest.pop();
        }
    }
    let per_s = |count: u64| count as f64 / elapsed.as_secs_f64().max(0.001);
    let top = |Reverse((deliveries, viewers, messages, at)): Reverse<(u64, u64, u64, usize)>| TopRoom {
        room: rooms[at].id.to_string(),
        viewers,
        deliveries_per_s: per_s(deliveries),
        messages_per_s: per_s(messages),
        heat: rooms[at].traffic.heat().label(),
    };
    hottest.into_sorted_vec().into_iter().map(top).collect()
}

#[cfg(test)]
mod tests {
    use barrage_protocol::RoomId;

    use super::*;
    use crate::room::{Heat, SeatKind};

    fn rooms(count: usize) -> Vec<Arc<Room>> {
        (0..count).map(|n| Arc::new(Room::new(format!("r{n}").parse().unwrap(), 2))).collect()
    }

    #[test]
    fn rooms_are_ranked_by_their_deliveries_since_the_last_ranking() {
        let rooms = rooms(3);
        for (room, deliveries) in rooms.iter().zip([10, 0, 40]) {
            room.traffic.add_deliveries(deliveries);
        }
        rooms[1].add_viewer(SeatKind::Viewer);
        rooms[2].traffic.add_message();
        rooms[2].traffic.set_heat(Heat::Hot);
        let top = rank(&rooms, Duration::from_secs(2));
        let names = |top: &[TopRoom]| top.iter().map(|top| top.room.clone()).collect::<Vec<_>>();
        assert_eq!(names(&top), ["r2", "r0", "r1"]);
        let hottest = TopRoom {
            room: "r2".into(),
            viewers: 0,
            deliveries_per_s: 20.0,
            messages_per_s: 0.5,
            heat: "hot",
        };
        assert_eq!(top[0], hottest);
        rooms[0].traffic.add_deliveries(1);
        assert_eq!(names(&rank(&rooms, Duration::from_secs(1))), ["r0", "r1", "r2"]);
    }

    #[test]
    fn the_room_of_probes_is_not_ranked() {
        let rooms = ["demo", RoomId::PROBE].map(|id| Arc::new(Room::new(id.parse().unwrap(), 2)));
        for room in &rooms {
            room.traffic.add_deliveries(5);
        }
        let top = rank(&rooms, Duration::from_secs(1));
        assert_eq!(top.iter().map(|top| top.room.as_str()).collect::<Vec<_>>(), ["demo"]);
        assert_eq!(rooms[1].traffic.take().deliveries, 0);
    }

    #[test]
    fn the_list_is_bounded_and_2_000_rooms_are_ranked_in_little_time() {
        let rooms = rooms(2_000);
        for (room, deliveries) in rooms.iter().zip(0..) {
            room.traffic.add_deliveries(deliveries % 1_777);
        }
        let began = barrage_clock::now();
        let top = rank(&rooms, Duration::from_secs(1));
        let took = began.elapsed();
        assert_eq!((top.len(), top[0].deliveries_per_s), (TOP_ROOMS_MAX, 1_776.0));
        assert!(top.is_sorted_by(|a, b| a.deliveries_per_s >= b.deliveries_per_s));
        assert!(took < Duration::from_millis(250), "{took:?}");
    }
}
