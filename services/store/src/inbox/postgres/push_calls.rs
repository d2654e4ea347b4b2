//! The calls of notifications on the pool.

use async_trait::async_trait;
use barrage_inbox::UserNumber;
use barrage_protocol::UserId;

use super::push::{badges, devices, follows, queue};
use crate::inbox::error::InboxError;
use crate::inbox::postgres::engine::PostgresInbox;
use crate::inbox::push::{
    Announced, Badges, Campaign, DeviceRecord, Due, Follower, NewCampaign, NewDevice, PushService, PushStore,
    Registered, Settled, Take,
};

#[async_trait]
impl PushStore for PostgresInbox {
    async fn announce_services(
        &self,
        services: &[PushService],
        replaces: Option<&str>,
    ) -> Result<Announced, InboxError> {
        self.bounded(devices::announce(&self.pool, services, replaces)).await
    }

    async fn services(&self) -> Result<Vec<PushService>, InboxError> {
        self.bounded(devices::services(&self.pool)).await
    }

    async fn register_device(&self, user: &UserId, device: &NewDevice) -> Result<Registered, InboxError> {
        self.bounded(devices::register(&self.pool, user, device)).await
    }

    async fn delete_device(&self, user: &UserId, device: &str) -> Result<bool, InboxError> {
        self.bounded(devices::delete(&self.pool, user, device)).await
    }

    async fn devices(&self, user: &UserId) -> Result<Vec<DeviceRecord>, InboxError> {
        self.bounded(devices::devices(&self.pool, user)).await
    }

    async fn forget_address(
        &self,
        user: UserNumber,
        device: &str,
        address: &str,
        since_ms: u64,
    ) -> Result<bool, InboxError> {
        self.bounded(devices::forget_address(&self.pool, user, device, address, since_ms)).await
    }

    async fn forget_unseen(&self, before_ms: u64) -> Result<u64, InboxError> {
        self.bounded(devices::forget_unseen(&self.pool, before_ms)).await
    }

    async fn note_badge(
        &self,
        user: UserNumber,
        told: &[String],
        badge: u32,
        at_ms: u64,
    ) -> Result<(), InboxError> {
        self.bounded(devices::note_badge(&self.pool, user, told, badge, at_ms)).await
    }

    async fn notification_settings(&self, user: &UserId) -> Result<Option<String>, InboxError> {
        self.bounded(devices::settings(&self.pool, user)).await
    }

    async fn set_notification_settings(&self, user: &UserId, settings: &str) -> Result<(), InboxError> {
        self.bounded(devices::set_settings(&self.pool, user, settings)).await
    }

    async fn take_due(&self, take: Take) -> Result<Vec<Due>, InboxError> {
        self.bounded(Box::pin(queue::take(&self.pool, take))).await
    }

    async fn next_due(&self) -> Result<Option<u64>, InboxError> {
        self.bounded(queue::next_due(&self.pool)).await
    }

    async fn waiting(&self) -> Result<u64, InboxError> {
        self.bounded(queue::waiting(&self.pool)).await
    }

    async fn settle(&self, due: &Due, settled: &Settled) -> Result<bool, InboxError> {
        self.bounded(queue::settle(&self.pool, due, settled)).await
    }

    async fn take_badges(&self, now_ms: u64, limit: usize) -> Result<Vec<Badges>, InboxError> {
        self.bounded(Box::pin(badges::take(&self.pool, now_ms, limit))).await
    }

    async fn follow(&self, user: &UserId, host: &UserId, at_ms: u64) -> Result<bool, InboxError> {
        self.bounded(follows::follow(&self.pool, user, host, at_ms)).await
    }

    async fn unfollow(&self, user: &UserId, host: &UserId) -> Result<(), InboxError> {
        self.bounded(follows::unfollow(&self.pool, user, host)).await
    }

    async fn follows(
        &self,
        user: &UserId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, InboxError> {
        self.bounded(follows::follows(&self.pool, user, after, limit)).await
    }

    async fn start_campaign(&self, campaign: &NewCampaign) -> Result<Campaign, InboxError> {
        self.bounded(follows::start(&self.pool, campaign)).await
    }

    async fn take_campaign(&self, take: Take) -> Result<Option<Campaign>, InboxError> {
        self.bounded(follows::take(&self.pool, take)).await
    }

    async fn followers(
        &self,
        host: &UserId,
        after: UserNumber,
        limit: usize,
    ) -> Result<Vec<Follower>, InboxError> {
        self.bounded(Box::pin(follows::followers(&self.pool, host, after, limit))).await
    }

    async fn move_campaign(&self, campaign: &Campaign, due_ms: u64) -> Result<bool, InboxError> {
        self.bounded(follows::move_on(&self.pool, campaign, due_ms)).await
    }

    async fn erase_push(&self, user: &UserId) -> Result<(), InboxError> {
        self.bounded(devices::erase(&self.pool, user)).await
    }
}
