//! Notifications in the file: devices and settings, the queue, follows and campaigns.

mod badges;
mod devices;
mod engine;
mod follows;
mod queue;

pub(super) use badges::lower;
pub(super) use queue::enqueue;
