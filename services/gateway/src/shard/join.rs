use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_clock::{steady_ms, unix_ms};
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{Hello, RepairOutcome, ServerFrame};
use barrage_protocol::{Code, FrameVersion, RoomId, Sequence, UserId};
use barrage_token::{Role, Rooms};
use bytes::Bytes;

use super::shard::{Shard, WriteOut};
use crate::admission::check_room;
use crate::context::Context;
use crate::room::{EncodedState, RepairReader, Room, Seat, SeatKind, encode_hello, repair_json, with_state};
use crate::viewer::Viewer;

/// Reads of one resume at most. Newer messages then come as a gap that the client repairs.
const RESUME_READS_MAX: usize = 256;

/// Membership of a viewer in a room.
pub(super) struct Joined {
    pub(super) seat: Seat,
    /// Role of the token; `Viewer` for an anonymous viewer.
    pub(super) role: Role,
    /// Rooms of the token; `None` for an anonymous viewer, which may go to any room.
    pub(super) rooms: Option<Rooms>,
}

/// Join of a viewer whose token is verified.
pub(super) struct Join<'a> {
    pub(super) room: &'a RoomId,
    pub(super) after: Option<Sequence>,
    pub(super) user: Option<UserId>,
    pub(super) rooms: Option<Rooms>,
    pub(super) role: Role,
    /// Number of the connection, from which the id in the hello is made.
    pub(super) connection: u64,
}

/// Takes a seat, sends the hello, and brings the viewer up to the room's position. The viewer holds
/// batches back that come meanwhile.
pub(super) async fn enter(shard: &Shard, viewer: &Rc<Viewer>, join: Join<'_>) -> Result<Joined, Refusal> {
    let (context, Join { room, after, user, rooms, role, connection }) = (&*shard.context, join);
    let seat = context.seat(room, (user.as_ref(), role), viewer.kind.get()).await?;
    let is_first = viewer.room.replace(Some(Arc::clone(&seat.room))).is_none();
    viewer.hold();
    shard.enter(&seat.room, Rc::clone(viewer));
    // Evictions reach the viewer from here on; one may have come since the handshake.
    let settings = context.bus.settings().borrow().clone();
    let checked = check_room(&settings, room, user.as_ref(), unix_ms());
    if let Err(refusal) = checked.and_then(|()| context.check_view(&seat, (user.as_ref(), role))) {
        shard.leave(&seat.room, viewer);
        return Err(refusal);
    }
    // Notices reach the viewer from here on. A switch of rooms has brought the older ones before.
    let waiting = user.as_ref().filter(|_| is_first).map(|user| context.notices.take_waiting(user));
    let mut position = seat.room.position();
    viewer.set_position(position);
    let terms = context.heartbeat_terms(viewer.version, viewer.network.get());
    viewer.heartbeat.set(Some(terms));
    let hello = Hello {
        room: room.clone(),
        user: user.clone(),
        connection: context.gate.connection_ids.id(connection),
        ping_interval_ms: terms.interval_ms(),
        ping_interval_ms_max: terms.interval_ms_max(),
        sequence: position,
        resume: after.is_some(),
        online: seat.room.online(),
        visibility: viewer.version == FrameVersion::V1_1,
        state: None,
    };
    // Behind the position: the state must not be older.
    let state = state_for(context, viewer, &seat.room);
    viewer.send_bytes(encode_hello(hello, state.as_deref(), viewer.encoding));
    // Before the resume, which may wait for the bus: a viewer without a hello would try another
    // endpoint. Reading finds a socket that has failed.
    let _failed = shard.flush(viewer);
    if let Some(after) = after {
        position = resume(shard, viewer, &seat, after, position).await;
        viewer.set_position(position);
    }
    if !room.is_probe() {
        context.metrics.joins.inc();
        if viewer.kind.get() == SeatKind::Viewer {
            seat.room.count_entry();
        }
    }
    for message in waiting.unwrap_or_default() {
        viewer.send_notice(&message);
    }
    Ok(Joined { seat, role, rooms })
}

/// Progress of one resume: the ranges that are still to be read.
#[derive(Debug, PartialEq, Eq)]
struct Resume {
    from: Sequence,
    up_to: Sequence,
    reads: usize,
}

impl Resume {
    /// `None` when the viewer resumes at a position that the room never had.
    fn start(after: Sequence, up_to: Sequence) -> Option<Self> {
        (after <= up_to).then_some(Resume { from: after, up_to, reads: 0 })
    }

    /// Takes the end of an answer; false when no other answer follows.
    fn advance(&mut self, covered_to: Sequence) -> bool {
        self.reads += 1;
        let has_progress = covered_to > self.from;
        self.from = covered_to;
        has_progress && covered_to < self.up_to && self.reads < RESUME_READS_MAX
    }
}

/// Sends the messages after `after` up to the room's position; returns the position that the
/// viewer then has.
async fn resume(
    shard: &Shard,
    viewer: &Viewer,
    seat: &Seat,
    after: Sequence,
    position: Sequence,
) -> Sequence {
    let context = &*shard.context;
    let reader = RepairReader::of(&*context.bus, &seat.room, context.repair_sizes);
    let position = reader.resume_at(after, position).await;
    let Some(mut resume) = Resume::start(after, position) else {
        context.metrics.repaired(RepairOutcome::Gone);
        let gone = Some((RepairOutcome::Gone, 0));
        let json = repair_json(&seat.room.id, (position, position), &[], gone);
        viewer.send_json(&with_state(json, state_for(context, viewer, &seat.room).as_deref()));
        return position;
    };
    // A long resume goes at the pace of the viewer's socket.
    let patience = Duration::from_secs(context.config.behind_secs_max);
    loop {
        let covered_to = repair(context, viewer, &seat.room, resume.from, Sequence(position.0 + 1)).await;
        if !resume.advance(covered_to) {
            break;
        }
        match shard.write_out(viewer, patience).await {
            WriteOut::Written => {}
            WriteOut::Stalled => {
                viewer.close_as_slow();
                break;
            }
            WriteOut::Gone => break,
        }
    }
    position
}

/// Answers the range (`after`, `before`) with its messages or an error; returns the position at
/// which the answer ends.
pub(super) async fn repair(
    context: &Context,
    viewer: &Viewer,
    room: &Room,
    after: Sequence,
    before: Sequence,
) -> Sequence {
    let reader = RepairReader::of(&*context.bus, room, context.repair_sizes);
    match reader.range(after, Some(before)).await {
        Ok(range) => {
            context.metrics.repaired(range.outcome);
            let covered = (after, range.covered_to);
            let json = repair_json(&room.id, covered, &range.messages, Some((range.outcome, range.skipped)));
            let json = with_lost_signals(state_for(context, viewer, room).as_deref(), json, range.outcome);
            viewer.allowance.charge_repair(json.len(), &context.config, steady_ms());
            viewer.send_json(&json);
            range.covered_to
        }
        Err(error) => {
            let refusal =
                Refusal::new(Code::Unavailable, format!("the range cannot be repaired now: {error}"));
            viewer.send(&ServerFrame::Error(refusal.retry_after_ms(1_000)));
            after
        }
    }
}

/// Returns the room's state for a viewer. Clients of version 1.0 may refuse fields that they do not know.
fn state_for(context: &Context, viewer: &Viewer, room: &Room) -> Option<Arc<EncodedState>> {
    if viewer.version == FrameVersion::V1_0 { None } else { context.state_of(room) }
}

/// Adds the room's state to an answer where signals may be missing.
fn with_lost_signals(state: Option<&EncodedState>, json: Bytes, outcome: RepairOutcome) -> Bytes {
    match outcome {
        RepairOutcome::Gone => with_state(json, state),
        RepairOutcome::Complete | RepairOutcome::Partial => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resume_reads_on_until_the_position_of_the_room() {
        let mut resume = Resume::start(Sequence(4), Sequence(9)).unwrap();
        assert!(resume.advance(Sequence(7)));
        assert_eq!(resume.from, Sequence(7));
        assert!(!resume.advance(Sequence(9)));
    }

    #[test]
    fn a_resume_ends_when_the_bus_answers_nothing_new() {
        let mut resume = Resume::start(Sequence(4), Sequence(9)).unwrap();
        assert!(!resume.advance(Sequence(4)));
    }

    #[test]
    fn a_resume_ends_after_its_reads_however_far_it_got() {
        let mut resume = Resume::start(Sequence(0), Sequence(1_000)).unwrap();
        let reads = (1..).take_while(|read| resume.advance(Sequence(*read))).count();
        assert_eq!(reads, RESUME_READS_MAX - 1);
    }

    #[test]
    fn a_position_that_the_room_never_had_is_not_resumed() {
        assert_eq!(Resume::start(Sequence(10), Sequence(9)), None);
        assert!(Resume::start(Sequence(9), Sequence(9)).is_some());
    }
}
