//! How hard the gateway works: costs of the fan-out, overload levels, egress limit, push times, heartbeats.

mod costs;
mod heartbeat;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod load;
mod overload;
mod push_times;
mod window_stretch;

pub(crate) use costs::Costs;
pub use heartbeat::HEARTBEAT_AGE_MAX;
pub(crate) use heartbeat::{HEARTBEAT_EVERY, Heartbeat, Heartbeats};
pub(crate) use load::{EgressLimit, Load};
pub use overload::OverloadConfig;
pub(crate) use overload::{Axis, Level, OverloadLadder, Pressure};
pub(crate) use push_times::{PUSH_BOUNDS_MS, PushTimes};
pub(crate) use window_stretch::{FanOutShares, WindowStretch};
