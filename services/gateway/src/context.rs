//! Handles that the parts of one gateway share. No behaviour: the rooms below have it.

use std::sync::Arc;

use barrage_bus::Bus;
use barrage_protocol::code::Refusal;
use barrage_protocol::facts::NetworkType;
use barrage_protocol::{Code, FrameVersion, RoomId, UserId};
use barrage_recorder::Recorder;
use barrage_token::Role;
use barrage_trace::Tracer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::{Access, JoinQueue, Places, UsedTickets, refresh};
use crate::config::GatewayConfig;
use crate::dispatch::{ConnectionIds, Dispatch};
use crate::drain::Drains;
use crate::load::{Heartbeats, Load, PushTimes};
use crate::mail::Attached;
use crate::metrics::GatewayMetrics;
use crate::room::{
    BatchRecord, EncodedState, FanOutLog, RepairSizes, Room, Rooms, Seat, SeatError, SeatKind, TopRooms,
    View, delay_ms,
};
use crate::viewer::{HeartbeatTerms, NoticeBook};

/// Handles that the parts of one gateway share.
pub(crate) struct Context {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) config: GatewayConfig,
    pub(crate) metrics: GatewayMetrics,
    /// Takes the spans of batches with sampled messages.
    pub(crate) tracer: Tracer,
    pub(crate) gate: Gate,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) repair_sizes: RepairSizes,
    pub(crate) dispatch: Dispatch,
    /// Notices for single users, kept until they are acknowledged or older than the bus's retention.
    pub(crate) notices: NoticeBook,
    /// Users of attached viewers; no fan-out reads it.
    pub(crate) attached: Attached,
    /// Drain in force, if any. Event streams and the load report follow its changes.
    pub(crate) drains: Drains,
    pub(crate) load: Load,
    pub(crate) push_times: PushTimes,
    pub(crate) history: History,
    pub(crate) lifecycle: Lifecycle,
}

impl Context {
    /// Returns a room's state for newcomers, at the room's position or newer.
    pub(crate) fn state_of(&self, room: &Room) -> Option<Arc<EncodedState>> {
        let shown = room.is_delayed().then(|| (room.position(), &room.hides));
        room.state.encoded(&self.bus.settings().borrow(), &room.id, shown)
    }

    /// Takes a seat in the view of a room that the user's role has.
    pub(crate) async fn seat(
        &self,
        room: &RoomId,
        (user, role): (Option<&UserId>, Role),
        kind: SeatKind,
    ) -> Result<Seat, SeatError> {
        let view = View::of(&self.bus.settings().borrow(), room, user, role);
        let seat = self.rooms.seat(room, view, kind).await?;
        if let Some(user) = user.filter(|_| role >= Role::Moderator || view == View::Staff) {
            seat.room.add_staff(user);
        }
        Ok(seat)
    }

    /// Refuses a viewer whose view of the room has changed since it took its seat: its rights changed, or the
    /// delay began. Evictions from before the viewer was in the room did not reach it.
    pub(crate) fn check_view(
        &self,
        seat: &Seat,
        (user, role): (Option<&UserId>, Role),
    ) -> Result<(), Refusal> {
        let settings = self.bus.settings();
        let settings = settings.borrow();
        let (id, seated) = (&seat.room.id, seat.room.key.view);
        let is_over = seated == View::Staff && delay_ms(&settings, id) == 0;
        if is_over || View::of(&settings, id, user, role) == seated { Ok(()) } else { Err(refresh()) }
    }

    /// Counts connections that are closed without an answer because their shard has ended; their clients
    /// go to the next endpoint. Once the shard's end is noted, new viewers are refused before.
    pub(crate) fn refuse_at_ended_shard(&self, connections: usize) {
        for _ in 0..connections {
            self.metrics.join_refused(Code::Unavailable.label());
        }
        if connections > 0 {
            tracing::warn!(connections, "connections refused: their shard has ended");
        }
    }

    /// Returns the terms of a client's heartbeat that are in force now.
    pub(crate) fn heartbeat_terms(&self, version: FrameVersion, network: NetworkType) -> HeartbeatTerms {
        let is_fixed = self.bus.settings().borrow().switches.fixed_heartbeat;
        HeartbeatTerms::of(version, network, is_fixed, &self.config)
    }
}

/// Parts that decide whether a viewer may join, and when.
pub(crate) struct Gate {
    pub(crate) access: Access,
    pub(crate) places: Arc<Places>,
    pub(crate) used_tickets: UsedTickets,
    pub(crate) join_queue: JoinQueue,
    pub(crate) connection_ids: ConnectionIds,
}

/// Records of the newest batches and the hottest rooms, which the admin API reads.
pub(crate) struct History {
    pub(crate) fan_outs: FanOutLog,
    pub(crate) recorder: Arc<Recorder<BatchRecord>>,
    pub(crate) top_rooms: TopRooms,
}

/// Start and end of the gateway's parts.
pub(crate) struct Lifecycle {
    /// Heartbeats of the parts that live as long as the gateway.
    pub(crate) heartbeats: Arc<Heartbeats>,
    /// Cancelled when the gateway must end: new viewers are refused from then on.
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when the viewers have gone, or their time is over: all tasks end.
    pub(crate) ended: CancellationToken,
    /// Cancelled when a shard ends before the gateway does: the gateway ends with an error.
    pub(crate) failed: CancellationToken,
    /// Tasks of the hubs, which the gateway awaits at its end.
    pub(crate) tasks: TaskTracker,
}
