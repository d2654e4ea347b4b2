//! Decisions of moves between partitions, without servers: for simulations of them.

pub use crate::nats::moving::step::{Close, Finish, close, finish, may_move};
pub use crate::nats::stream::gate::{Gate, Order, Verdict};
pub use crate::settings::room_place::{Chain, Closing, Leg, Segment};
