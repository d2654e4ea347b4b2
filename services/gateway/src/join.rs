//! Entering a room: the seat, the hello, the resume.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{BusError, Range, RangeLimits, Topic};
use barrage_http::ConnectionPermit;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{Hello, RepairOutcome, ServerFrame};
use barrage_protocol::{Code, RoomId, Sequence, UserId};
use barrage_token::{Identity, Rooms};
use bytes::Bytes;

use crate::batch::{Encoding, repair_json};
use crate::gateway::{Admission, Shared};
use crate::room::Seat;
use crate::shard::{Settled, Shard};
use crate::socket::Bare;
use crate::viewer::Viewer;

/// Range reads of one resume at most; what is newer then comes as a gap that the
/// client repairs.
const RESUME_READS_MAX: usize = 256;

/// Longest read of one repair. Meanwhile nothing else is sent to the viewer, which asks
/// again by itself.
const REPAIR_MAX: Duration = Duration::from_secs(3);

/// Longest wait for the bus's word on a position that is newer than any seen here.
const REACH_MAX: Duration = Duration::from_secs(1);

/// What the handshake said.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) room: RoomId,
    /// Whom a token in the handshake named; without one the join must come as a frame.
    pub(crate) identity: Option<Identity>,
    pub(crate) after: Option<Sequence>,
    pub(crate) encoding: Encoding,
}

/// An upgraded connection on its way to a shard.
pub(crate) struct Arrival {
    pub(crate) bare: Bare,
    pub(crate) permit: ConnectionPermit,
    pub(crate) admission: Admission,
    pub(crate) request: Request,
    /// The handshake's answer, unless it was sent already.
    pub(crate) answer: Bytes,
    /// Bytes that came right behind the handshake.
    pub(crate) leftover: Vec<u8>,
}

/// A viewer's place and what its token allows.
pub(crate) struct Joined {
    pub(crate) seat: Seat,
    /// Rooms of the token; `None` for an anonymous viewer, who may go anywhere.
    pub(crate) rooms: Option<Rooms>,
}

/// Takes a seat, says hello, and brings the viewer up to the room's position.
/// Batches that come meanwhile are held by the viewer.
pub(crate) async fn enter(
    shard: &Rc<Shard>,
    viewer: &Rc<Viewer>,
    room: &RoomId,
    after: Option<Sequence>,
    user: Option<UserId>,
    rooms: Option<Rooms>,
) -> Result<Joined, Refusal> {
    let shared = &shard.shared;
    let seat = if let Some(seat) = shared.rooms.take_ready(room) {
        seat
    } else {
        // Hubs live on the main runtime: a shard's own threads only fan out.
        let (shared, room) = (Arc::clone(shared), room.clone());
        let seated = shard.main.spawn(async move { shared.seat(&room).await });
        seated
            .await
            .map_err(|_| Refusal::new(Code::Unavailable, "the gateway is leaving").retry_after_ms(500))??
    };
    let is_first = viewer.room.replace(Some(Arc::clone(&seat.room))).is_none();
    viewer.hold();
    shard.enter(&seat.room, Rc::clone(viewer));
    // Evictions reach the viewer from here on; this one may have come since the handshake.
    if let Err(refusal) = shared.check_room(room, user.as_ref()) {
        shard.leave(&seat.room, viewer);
        return Err(refusal);
    }
    // From here on notices arrive by themselves; a switch has brought the older ones before.
    let waiting = user.as_ref().filter(|_| is_first).map(|user| shared.direct.waiting(user));
    let mut position = seat.room.position();
    viewer.set_position(position);
    let hello = ServerFrame::Hello(Hello {
        room: room.clone(),
        user: user.clone(),
        connection: shared.connection_id(),
        ping_interval_ms: shared.config.ping_interval_ms,
        sequence: position,
        resume: after.is_some(),
        online: seat.room.online(),
    });
    viewer.send(&hello);
    // Not behind the resume: that may have to wait for the bus, and a viewer without a
    // hello would try elsewhere. A socket that has failed is found out by reading.
    drop(shard.flush(viewer));
    if let Some(after) = after {
        position = resume(shard, viewer, &seat, after, position).await;
        viewer.set_position(position);
    }
    shared.metrics.joins.inc();
    seat.room.entered();
    for message in waiting.unwrap_or_default() {
        viewer.send_notice(&message);
    }
    Ok(Joined { seat, rooms })
}

/// Where a viewer that resumes stands: another gateway may have shown it what is still
/// on its way here.
pub(crate) async fn within_reach(
    shared: &Shared,
    room: &RoomId,
    after: Sequence,
    position: Sequence,
) -> Sequence {
    if after <= position {
        return position;
    }
    let topic = Topic::Room(room.clone());
    match tokio::time::timeout(REACH_MAX, shared.bus.last(&topic)).await {
        Ok(Ok(last)) if after > last => position,
        Ok(Ok(_)) => after,
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(%room, "a viewer's position could not be checked, and is believed");
            after
        }
    }
}

/// Sends everything after `after` up to the room's position.
async fn resume(
    shard: &Shard,
    viewer: &Viewer,
    seat: &Seat,
    after: Sequence,
    position: Sequence,
) -> Sequence {
    let shared = &*shard.shared;
    let position = within_reach(shared, &seat.room.id, after, position).await;
    if after > position {
        // A position that this room never had: start at ours.
        shared.metrics.repaired(RepairOutcome::Gone);
        let gone = Some((RepairOutcome::Gone, 0));
        viewer.send_json(&repair_json(&seat.room.id, (position, position), &[], gone));
        return position;
    }
    let mut from = after;
    for _ in 0..RESUME_READS_MAX {
        let covered = repair(shared, viewer, &seat.room.id, from, Sequence(position.0 + 1)).await;
        if covered >= position || covered <= from {
            break;
        }
        from = covered;
        // A long resume goes at the pace of the viewer's socket.
        let patience = Duration::from_secs(shared.config.behind_secs_max);
        match shard.settle(viewer, patience).await {
            Settled::Written => {}
            Settled::Stalled => {
                viewer.too_slow();
                break;
            }
            Settled::Gone => break,
        }
    }
    position
}

/// Reads what the room has after a position, within [`REPAIR_MAX`]. A viewer that is ahead of
/// this gateway needs nothing, and does not wait for the bus to say so.
pub(crate) async fn range(
    shared: &Shared,
    room: &RoomId,
    after: Sequence,
    before: Option<Sequence>,
) -> Result<Range, BusError> {
    if before.is_some_and(|before| before.0 <= after.0 + 1) {
        let (outcome, messages) = (RepairOutcome::Complete, Vec::new());
        return Ok(Range { outcome, skipped: 0, messages, covered_to: after });
    }
    let limits = RangeLimits {
        chat_max: shared.config.repair_chat_max,
        bytes_max: shared.config.answer_messages_bytes(),
        ..RangeLimits::default()
    };
    let topic = Topic::Room(room.clone());
    let read = tokio::time::timeout(REPAIR_MAX, shared.bus.range(&topic, after, before, limits)).await;
    read.unwrap_or_else(|_| Err(BusError::Unavailable("it took too long".into())))
}

/// Answers the range (`after`, `before`); returns where the answer ends.
pub(crate) async fn repair(
    shared: &Shared,
    viewer: &Viewer,
    room: &RoomId,
    after: Sequence,
    before: Sequence,
) -> Sequence {
    match range(shared, room, after, Some(before)).await {
        Ok(range) => {
            shared.metrics.repaired(range.outcome);
            let span = (after, range.covered_to);
            let json = repair_json(room, span, &range.messages, Some((range.outcome, range.skipped)));
            viewer.charge_repair(json.len(), &shared.config);
            viewer.send_json(&json);
            range.covered_to
        }
        Err(error) => {
            let refusal = Refusal::new(Code::Unavailable, format!("this cannot be repaired now: {error}"));
            viewer.send(&ServerFrame::Error(refusal.retry_after_ms(1_000)));
            after
        }
    }
}
