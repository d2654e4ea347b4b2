//! Health of a gateway for `/healthz`: the age of each part's last heartbeat, and whether a shard has
//! ended.

use std::sync::Arc;
use std::time::Duration;

use crate::load::Heartbeats;
use crate::room::Rooms;

/// Part of a gateway and the age of its last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAge {
    /// Name of the part: `shard-0`, `hubs`, `evictions`, `load`, `notices`, `report`.
    pub part: String,
    /// Time since the part's last heartbeat; for `hubs`, that of the oldest.
    pub age: Duration,
}

/// Health of a gateway; stays readable after [`crate::Gateway::run`] took the gateway.
#[derive(Debug, Clone)]
pub struct GatewayHealth {
    pub(crate) heartbeats: Arc<Heartbeats>,
    pub(crate) rooms: Arc<Rooms>,
}

impl GatewayHealth {
    /// Returns the age of each part's last heartbeat. Of the hubs, one for each room, the oldest
    /// counts; the age is zero without rooms.
    #[must_use]
    pub fn ages(&self) -> Vec<HeartbeatAge> {
        let Heartbeats { shards, evictions, load, notices, report, .. } = &*self.heartbeats;
        let shards = shards.iter().enumerate().map(|(at, beat)| (format!("shard-{at}"), beat.age()));
        let hubs = self.rooms.all().iter().map(|room| room.heartbeat.age()).max().unwrap_or_default();
        let others = [("evictions", evictions), ("load", load), ("notices", notices), ("report", report)];
        let others = others.map(|(part, beat)| (part.to_owned(), beat.age()));
        let all = shards.chain([("hubs".to_owned(), hubs)]).chain(others);
        all.map(|(part, age)| HeartbeatAge { part, age }).collect()
    }

    /// False once a shard has ended before the shutdown. The gateway then refuses new viewers and
    /// closes the others, and [`crate::Gateway::run`] returns an error.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.heartbeats.has_failed()
    }
}
