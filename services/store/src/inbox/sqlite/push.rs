//! Notifications in the file: devices and settings, the queue, follows and campaigns.

mod devices;
mod engine;
mod follows;
mod queue;

pub(super) use queue::enqueue;
