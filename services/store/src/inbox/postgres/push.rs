//! Notifications in the database: devices and settings, the queue, follows and campaigns.

pub(super) mod badges;
pub(super) mod devices;
pub(super) mod follows;
pub(super) mod queue;
