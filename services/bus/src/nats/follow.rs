//! Following topics: one subscription of a topic for all subscribers of this process.

pub(crate) mod audit;
mod backfill;
mod followed;
pub(crate) mod follower;
mod following;
mod newest;
mod ranges;
mod server_time;
mod source;
mod topics;
