//! Load of an uplink: connections that post chat, and the limit to compare with.

mod flood;
mod limit;

pub(crate) use flood::Flood;
pub(crate) use limit::PostLimit;
