//! Rooms that the gateway is subscribed to, and the batches of their messages.

mod batch;
mod batch_record;
mod batch_trace;
mod batcher;
mod delay;
mod delivery;
mod fallback;
mod fan_out_log;
mod heat;
mod hide;
mod pulse;
mod repair;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod room;
mod sample;
mod state;
mod table;
mod tally;
mod top;
mod traffic;

#[cfg(test)]
pub(crate) use batch::tests::{batch_of, message};
pub(crate) use batch::{Contents, SharedBatch, repair_json, skip_json};
pub(crate) use batch_record::{BatchCircumstances, BatchRecord};
pub(crate) use batch_trace::BatchTrace;
pub(crate) use batcher::{Batcher, Flushed, Pace};
pub(crate) use delay::{DelayQueue, View, delay_ms};
pub(crate) use delivery::{Delivery, Trigger};
pub(crate) use fan_out_log::{FanOut, FanOutLog, FanOutView};
pub use heat::HeatConfig;
pub(crate) use heat::{Heat, HeatLadder, rounded};
pub(crate) use hide::Hide;
pub(crate) use repair::{RepairReader, RepairSizes};
pub(crate) use room::{Room, RoomKey};
pub(crate) use state::{EncodedState, encode_hello, with_state};
pub(crate) use table::{Rooms, Seat, SeatError, SeatKind, StartHub};
pub(crate) use tally::Tally;
pub(crate) use top::{TopRoom, TopRooms, rank};
pub(crate) use traffic::Traffic;
