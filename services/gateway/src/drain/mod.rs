//! Sending viewers to other gateways: how fast, where to, and with which frame.
//!
//! A viewer is notified by a `reconnect` frame, opens a connection elsewhere, and only then leaves
//! the one here. Everything here is computed from values; shards and event streams carry it out.

#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod drain;
mod pace;
mod reconnect;
mod targets;

pub(crate) use drain::{Cause, Drain, Drains};
pub(crate) use pace::{DrainSchedule, Peers};
pub(crate) use reconnect::{NOTIFY_EVERY, reconnect_frame, time_left};
pub(crate) use targets::Targets;
