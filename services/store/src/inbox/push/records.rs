//! Rows of notifications as callers see them.

use barrage_inbox::{Conversation, Member, UserNumber};
use barrage_protocol::UserId;

use crate::inbox::records::StoredItem;

/// A service that notifications are sent to, as the role that sends announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushService {
    /// Name of the service, such as `web`, `apns`, `fcm` or the name of a vendor.
    pub name: String,
    /// Public key that clients need to register; Web Push alone has one.
    pub public_key: Option<String>,
}

/// What an announcement of services did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// The tables have the services.
    Done,
    /// Nothing was changed: clients have registered with another public key of a service.
    OtherKey {
        /// Public key that was announced.
        own: String,
        /// Public key in the tables.
        stored: String,
    },
}

/// A device that registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// Id that the device chose for itself.
    pub device: String,
    /// Name of the service that reaches it.
    pub service: String,
    /// Token, or the endpoint of a browser's subscription.
    pub address: String,
    /// Keys of a browser's subscription, as JSON.
    pub keys: Option<String>,
    /// Unix time of the registration in milliseconds.
    pub at_ms: u64,
}

/// What a registration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The device is new, or has another address now.
    New,
    /// The device had this address before.
    Again,
}

/// A device that takes notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Id that the device chose for itself.
    pub device: String,
    /// Name of the service that reaches it.
    pub service: String,
    /// Token, or the endpoint of a browser's subscription.
    pub address: String,
    /// Keys of a browser's subscription, as JSON.
    pub keys: Option<String>,
    /// Unix time of the last registration in milliseconds.
    pub registered_at_ms: u64,
    /// Badge that the device was told last.
    pub badge: u32,
    /// Unix time in milliseconds at which it was told.
    pub badge_at_ms: u64,
}

/// What a waiting notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PushKind {
    /// A letter, or an item of a group whose members want each.
    Letter,
    /// An item of a group that mentions the user.
    Mention,
}

/// A row of the queue that is due, with what the tables say of its user at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Number of the user.
    pub user: UserNumber,
    /// Id of the user.
    pub id: UserId,
    /// Conversation of the notification.
    pub conversation: Conversation,
    /// The user's row in it; `None` for a user who was removed.
    pub member: Option<Member>,
    /// Newest position that the notification is about.
    pub up_to: u64,
    /// What the notification is about.
    pub kind: PushKind,
    /// Attempts before this one.
    pub attempts: u32,
    /// Devices that have not got it, when an attempt reached some of them.
    pub rest: Option<Vec<String>>,
    /// Newest item that the user has neither read nor hidden nor sent; `None` when all were recalled.
    pub item: Option<StoredItem>,
    /// Unread items of the user that count, for the badge.
    pub total: u64,
    /// The user's settings for notifications, as JSON; `None` for the default.
    pub settings: Option<String>,
    /// Devices of the user.
    pub devices: Vec<DeviceRecord>,
    /// Names this attempt: what another attempt has taken meanwhile, this one does not settle.
    pub taken: i64,
}

/// What becomes of a row that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The row goes, unless a newer item has joined it: then it waits until this Unix time in milliseconds.
    Done {
        /// Unix time in milliseconds at which newer items are due.
        newer_due_ms: u64,
    },
    /// Some devices were not reached: the row waits until a Unix time in milliseconds.
    Again {
        /// Unix time of the next attempt in milliseconds.
        due_ms: u64,
        /// Devices that have not got the notification.
        rest: Vec<String>,
    },
}

/// A user whose badges are looked at after a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badges {
    /// Number of the user.
    pub user: UserNumber,
    /// Unread items of the user that count, for the badge.
    pub total: u64,
    /// Devices of the user.
    pub devices: Vec<DeviceRecord>,
}

/// A follower of a host who has devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Number of the user; a campaign goes in the order of these numbers.
    pub user: UserNumber,
    /// Id of the user.
    pub id: UserId,
    /// The user's settings for notifications, as JSON; `None` for the default.
    pub settings: Option<String>,
    /// Unread items of the user that count, for the badge.
    pub total: u64,
    /// Devices of the user.
    pub devices: Vec<DeviceRecord>,
}

/// A host who is live, whose followers are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCampaign {
    /// Id of the stream: a second campaign with it is the first one.
    pub id: String,
    /// Host who is live.
    pub host: UserId,
    /// Room that a click opens.
    pub room: String,
    /// Title of the stream.
    pub title: String,
    /// Unix time of the start in milliseconds.
    pub at_ms: u64,
}

/// Progress of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// What the campaign tells.
    pub about: NewCampaign,
    /// Followers of the host at the start.
    pub followers: u64,
    /// Followers up to this number are told.
    pub after: UserNumber,
    /// Followers who were told.
    pub told: u64,
    /// Unix time of the end in milliseconds; `None` while it runs.
    pub ended_at_ms: Option<u64>,
    /// Names this attempt, as in [`Due::taken`].
    pub taken: i64,
}

/// Returns the key in the tables that an announcement would replace by another one, and the other one.
pub(in crate::inbox) fn other_key<'a>(
    stored: &'a [PushService],
    services: &'a [PushService],
) -> Option<(&'a str, &'a PushService)> {
    stored.iter().find_map(|before| {
        let stored = before.public_key.as_deref()?;
        let own = services.iter().find(|service| service.name == before.name)?;
        own.public_key.as_deref().is_some_and(|own| own != stored).then_some((stored, own))
    })
}
