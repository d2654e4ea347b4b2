//! The hottest rooms of the fleet: sums over what each gateway and uplink answers. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rooms in an overview.
const ROOMS_MAX: usize = 100;
/// Heats of rooms, coolest first.
const HEATS: [&str; 4] = ["idle", "warm", "hot", "celebrity"];

/// One gateway's answer of `GET /v1/admin/top-rooms`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TopRooms {
    pub(super) rooms: Vec<TopRoom>,
}

/// One of the hottest rooms of one gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TopRoom {
    room: String,
    viewers: u64,
    deliveries_per_s: f64,
    messages_per_s: f64,
    heat: String,
}

/// One uplink's answer of `GET /v1/admin/offered`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfferedRooms {
    pub(super) rooms: Vec<OfferedRoom>,
}

/// Chat offered to one room at one uplink.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfferedRoom {
    room: String,
    offered_per_s: u64,
    shown_per_s_max: u64,
}

/// A hot room of the fleet. Each gateway names its hottest rooms alone, so the sums may lack
/// gateways with few viewers of the room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct RoomView {
    /// Id of the room.
    pub(super) room: String,
    /// Highest heat among the gateways: `idle`, `warm`, `hot` or `celebrity`; empty when no gateway
    /// names the room.
    pub(super) heat: String,
    /// Viewers at the gateways that name the room.
    pub(super) viewers: u64,
    /// Gateways that name the room.
    pub(super) gateways: u64,
    /// Chat that viewers offered in the last second, before the display quota.
    pub(super) offered_per_s: u64,
    /// Messages a second that reach viewers, of all classes: the largest figure of a gateway.
    pub(super) shown_per_s: f64,
    /// Deliveries a second, each viewer counted.
    pub(super) deliveries_per_s: f64,
    /// Display quota for chat in messages a second; 0 when no uplink names the room.
    pub(super) shown_per_s_max: u64,
}

/// Adds the answers up, hottest room first.
pub(super) fn add_up(gateways: Vec<TopRooms>, uplinks: Vec<OfferedRooms>) -> Vec<RoomView> {
    let mut rooms = BTreeMap::<String, RoomView>::new();
    for top in gateways.into_iter().flat_map(|answer| answer.rooms) {
        let view = rooms.entry(top.room).or_default();
        if rank(&top.heat) >= rank(&view.heat) {
            view.heat = top.heat;
        }
        view.viewers += top.viewers;
        view.gateways += 1;
        view.shown_per_s = view.shown_per_s.max(top.messages_per_s);
        view.deliveries_per_s += top.deliveries_per_s;
    }
    for offered in uplinks.into_iter().flat_map(|answer| answer.rooms) {
        let view = rooms.entry(offered.room).or_default();
        view.offered_per_s += offered.offered_per_s;
        view.shown_per_s_max = view.shown_per_s_max.max(offered.shown_per_s_max);
    }
    let mut views: Vec<_> = rooms.into_iter().map(|(room, view)| RoomView { room, ..view }).collect();
    views.sort_by(|a, b| {
        let key = |view: &RoomView| (rank(&view.heat), view.viewers, view.offered_per_s);
        key(b).cmp(&key(a)).then_with(|| a.room.cmp(&b.room))
    });
    views.truncate(ROOMS_MAX);
    views
}

/// Returns the rank of a heat; an unknown or missing heat ranks lowest.
fn rank(heat: &str) -> Option<usize> {
    HEATS.iter().position(|known| *known == heat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn top(rooms: &Value) -> TopRooms {
        from_value(json!({ "rooms": rooms })).unwrap()
    }

    #[test]
    fn rooms_are_summed_over_gateways_and_uplinks_and_the_hottest_is_first() {
        let room = |room: &str, viewers: u64, heat: &str| {
            json!({
                "room": room, "viewers": viewers, "heat": heat,
                "deliveries_per_s": 10.0 * viewers as f64, "messages_per_s": 10.0,
            })
        };
        let gateways = vec![
            top(&json!([room("a", 100, "warm"), room("b", 5, "celebrity")])),
            top(&json!([room("a", 50, "hot")])),
        ];
        let offered = json!({ "rooms": [
            { "room": "a", "offered_per_s": 40, "shown_per_s_max": 50 },
            { "room": "c", "offered_per_s": 2, "shown_per_s_max": 50 },
        ]});
        let uplinks = vec![from_value(offered.clone()).unwrap(), from_value(offered).unwrap()];
        let views = add_up(gateways, uplinks);
        let names: Vec<_> = views.iter().map(|view| view.room.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        let expected = RoomView {
            room: "a".into(),
            heat: "hot".into(),
            viewers: 150,
            gateways: 2,
            offered_per_s: 80,
            shown_per_s: 10.0,
            deliveries_per_s: 1_500.0,
            shown_per_s_max: 50,
        };
        assert_eq!(views[1], expected);
        assert_eq!((views[2].heat.as_str(), views[2].offered_per_s), ("", 4));
    }
}
