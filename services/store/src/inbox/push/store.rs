//! The trait of notifications, which both engines of the inbox implement.

use async_trait::async_trait;
use barrage_inbox::UserNumber;
use barrage_protocol::UserId;

use super::records::{
    Announced, Badges, Campaign, DeviceRecord, Due, Follower, NewCampaign, NewDevice, PushService,
    Registered, Settled,
};
use crate::inbox::error::InboxError;

/// Devices of one user. Of more, the one that registered longest ago goes: apps register at each start.
pub const DEVICES_PER_USER_MAX: u16 = 20;
/// Hosts that one user follows. Further ones are refused.
pub const FOLLOWS_PER_USER_MAX: u64 = 5_000;

/// Which rows a sender takes, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Take {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Time in milliseconds after which another sender takes a row that was not settled.
    pub lease_ms: u64,
    /// Maximum number of rows.
    pub limit: usize,
    /// Random name of the attempt, not 0.
    pub taken: i64,
}

/// Devices, settings, the queue, follows and campaigns. One transaction a call.
#[async_trait]
pub trait PushStore: Send + Sync + std::fmt::Debug {
    /// Replaces the services that notifications are sent to. Another public key than the one in the tables is refused,
    /// unless that one is `replaces`: then the devices that registered with it are forgotten.
    async fn announce_services(
        &self,
        services: &[PushService],
        replaces: Option<&str>,
    ) -> Result<Announced, InboxError>;

    /// Returns the services that notifications are sent to; none before the first start of a sender.
    async fn services(&self) -> Result<Vec<PushService>, InboxError>;

    /// Registers a device of a user, or renews its registration. An address belongs to the user who registered it last.
    async fn register_device(&self, user: &UserId, device: &NewDevice) -> Result<Registered, InboxError>;

    /// Deletes a device of a user. Returns whether there was one.
    async fn delete_device(&self, user: &UserId, device: &str) -> Result<bool, InboxError>;

    /// Returns the devices of a user, in the order of their ids.
    async fn devices(&self, user: &UserId) -> Result<Vec<DeviceRecord>, InboxError>;

    /// Deletes a device by the answer of its service, when the device still has the address that was sent to, and
    /// registered it at `since_ms` (Unix time in milliseconds) or before. Returns whether it did.
    async fn forget_address(
        &self,
        user: UserNumber,
        device: &str,
        address: &str,
        since_ms: u64,
    ) -> Result<bool, InboxError>;

    /// Deletes devices that registered before a Unix time in milliseconds, at most 1,000. Returns their number.
    async fn forget_unseen(&self, before_ms: u64) -> Result<u64, InboxError>;

    /// Notes the badge that devices of a user were told.
    async fn note_badge(
        &self,
        user: UserNumber,
        devices: &[String],
        badge: u32,
        at_ms: u64,
    ) -> Result<(), InboxError>;

    /// Returns a user's settings for notifications, as JSON; `None` for the default.
    async fn notification_settings(&self, user: &UserId) -> Result<Option<String>, InboxError>;

    /// Replaces a user's settings for notifications.
    async fn set_notification_settings(&self, user: &UserId, settings: &str) -> Result<(), InboxError>;

    /// Takes rows of the queue that are due, with what the tables say at this moment.
    async fn take_due(&self, take: Take) -> Result<Vec<Due>, InboxError>;

    /// Returns the earliest Unix time in milliseconds at which a row of the queue is due; `None` for an empty queue.
    async fn next_due(&self) -> Result<Option<u64>, InboxError>;

    /// Returns the number of rows of the queue, counted up to 100,000.
    async fn waiting(&self) -> Result<u64, InboxError>;

    /// Settles a row that was taken. Returns whether the attempt still had it.
    async fn settle(&self, due: &Due, settled: &Settled) -> Result<bool, InboxError>;

    /// Removes users from the list of those whose badges are due, at most `limit`, and returns what the tables say of
    /// them. Who is taken by a process that is killed waits for the next read.
    async fn take_badges(&self, now_ms: u64, limit: usize) -> Result<Vec<Badges>, InboxError>;

    /// Lets a user follow a host. Returns whether it does now: not beyond [`FOLLOWS_PER_USER_MAX`].
    async fn follow(&self, user: &UserId, host: &UserId, at_ms: u64) -> Result<bool, InboxError>;

    /// Ends that a user follows a host.
    async fn unfollow(&self, user: &UserId, host: &UserId) -> Result<(), InboxError>;

    /// Returns hosts whom a user follows, by their ids, behind `after`, at most `limit`.
    async fn follows(
        &self,
        user: &UserId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, InboxError>;

    /// Starts a campaign. Returns it with its progress: the first one, when there is one with this id.
    async fn start_campaign(&self, campaign: &NewCampaign) -> Result<Campaign, InboxError>;

    /// Takes a campaign that is due and has not ended.
    async fn take_campaign(&self, take: Take) -> Result<Option<Campaign>, InboxError>;

    /// Returns followers with devices, in the order of their numbers, behind one, at most `limit`.
    async fn followers(
        &self,
        host: &UserId,
        after: UserNumber,
        limit: usize,
    ) -> Result<Vec<Follower>, InboxError>;

    /// Moves a campaign that was taken on, and lets it wait until a Unix time in milliseconds; with `ended_at_ms` it
    /// ends. Returns whether the attempt still had it.
    async fn move_campaign(&self, campaign: &Campaign, due_ms: u64) -> Result<bool, InboxError>;

    /// Removes a user's devices, settings, waiting notifications and follows.
    async fn erase_push(&self, user: &UserId) -> Result<(), InboxError>;
}
