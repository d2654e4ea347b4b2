//! Decisions of a move. Pure: the mover asks servers and settings, and carries the decisions out.

use crate::nats::stream::gate::{Gate, Order, Verdict};
use crate::settings::room_place::RoomPlace;

/// First step of a move, by the gate that the old stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The room is where it goes, or it moved too often for now.
    Stay,
    /// Another process has closed the room: its move is to be finished.
    Finish(Gate),
    /// Write this gate, under the condition that the one before it is still the newest one.
    Write(Order),
}

/// Returns whether a room is to move at all. Servers know ids for `window_ms`.
#[must_use]
pub fn may_move(place: &RoomPlace, to: u16, now_ms: u64, window_ms: u64) -> bool {
    // One that moved often goes on when the ids of its oldest stay are forgotten.
    place.current().partition != to && !place.is_full(now_ms, window_ms)
}

/// Decides the first step of a move to a partition, by the place that this process knows.
#[must_use]
pub fn close(place: &RoomPlace, before: Gate, to: u16) -> Close {
    let known = place.current();
    match before.verdict(known.chain.epoch) {
        Verdict::Closed => Close::Finish(before),
        Verdict::Open if known.partition == to => Close::Stay,
        Verdict::Open => Close::Write(Order { epoch: known.chain.epoch + 1, to }),
    }
}

/// Last step of a move, by the place that this process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// This process knows the place behind the gate already.
    Known,
    /// This process does not know the place before the gate.
    Unknown,
    /// The place behind the gate is to be noted.
    Note,
}

/// Decides whether this process can finish the move of a gate.
#[must_use]
pub fn finish(place: &RoomPlace, gate: Gate) -> Finish {
    match gate.order.epoch {
        epoch if place.epoch() >= epoch => Finish::Known,
        epoch if place.epoch() + 1 == epoch => Finish::Note,
        _ => Finish::Unknown,
    }
}
