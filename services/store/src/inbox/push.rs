//! Notifications: devices, settings, the queue of what waits, follows and campaigns.
//!
//! They change no inbox, so that they are written beside the lanes; only the queue is written with the items.

mod calls;
mod records;
mod store;

pub(super) use calls::{Call, LOWER_EVERY_MS, calls, lowered};
pub(super) use records::other_key;
pub use records::{
    Announced, Badges, Campaign, DeviceRecord, Due, Follower, NewCampaign, NewDevice, PushKind, PushService,
    Registered, Settled,
};
pub use store::{DEVICES_PER_USER_MAX, FOLLOWS_PER_USER_MAX, PushStore, Take};
