//! The calls of notifications on the two connections.

use async_trait::async_trait;
use barrage_inbox::UserNumber;
use barrage_protocol::UserId;

use super::push::{badges, devices, follows, queue};
use crate::inbox::error::InboxError;
use crate::inbox::push::{
    Announced, Badges, Campaign, DeviceRecord, Due, Follower, NewCampaign, NewDevice, PushService, PushStore,
    Registered, Settled, Take,
};
use crate::inbox::sqlite::engine::SqliteInbox;

#[async_trait]
impl PushStore for SqliteInbox {
    async fn announce_services(
        &self,
        services: &[PushService],
        replaces: Option<&str>,
    ) -> Result<Announced, InboxError> {
        let (services, replaces) = (services.to_vec(), replaces.map(str::to_owned));
        let announce = move |connection: &mut rusqlite::Connection| {
            devices::announce(connection, &services, replaces.as_deref())
        };
        self.writer.call(announce).await
    }

    async fn services(&self) -> Result<Vec<PushService>, InboxError> {
        self.reader.call(|connection| devices::services(connection)).await
    }

    async fn register_device(&self, user: &UserId, device: &NewDevice) -> Result<Registered, InboxError> {
        let (user, device) = (user.clone(), device.clone());
        self.writer.call(move |connection| devices::register(connection, &user, &device)).await
    }

    async fn delete_device(&self, user: &UserId, device: &str) -> Result<bool, InboxError> {
        let (user, device) = (user.clone(), device.to_owned());
        self.writer.call(move |connection| devices::delete(connection, &user, &device)).await
    }

    async fn devices(&self, user: &UserId) -> Result<Vec<DeviceRecord>, InboxError> {
        let user = user.clone();
        self.reader.call(move |connection| devices::devices(connection, &user)).await
    }

    async fn forget_address(
        &self,
        user: UserNumber,
        device: &str,
        address: &str,
        since_ms: u64,
    ) -> Result<bool, InboxError> {
        let (device, address) = (device.to_owned(), address.to_owned());
        let forget = move |connection: &mut rusqlite::Connection| {
            devices::forget_address(connection, user, &device, &address, since_ms)
        };
        self.writer.call(forget).await
    }

    async fn forget_unseen(&self, before_ms: u64) -> Result<u64, InboxError> {
        self.writer.call(move |connection| devices::forget_unseen(connection, before_ms)).await
    }

    async fn note_badge(
        &self,
        user: UserNumber,
        told: &[String],
        badge: u32,
        at_ms: u64,
    ) -> Result<(), InboxError> {
        let told = told.to_vec();
        self.writer.call(move |connection| devices::note_badge(connection, user, &told, badge, at_ms)).await
    }

    async fn notification_settings(&self, user: &UserId) -> Result<Option<String>, InboxError> {
        let user = user.clone();
        self.reader.call(move |connection| devices::settings(connection, &user)).await
    }

    async fn set_notification_settings(&self, user: &UserId, settings: &str) -> Result<(), InboxError> {
        let (user, settings) = (user.clone(), settings.to_owned());
        self.writer.call(move |connection| devices::set_settings(connection, &user, &settings)).await
    }

    async fn take_due(&self, take: Take) -> Result<Vec<Due>, InboxError> {
        self.writer.call(move |connection| queue::take(connection, take)).await
    }

    async fn next_due(&self) -> Result<Option<u64>, InboxError> {
        self.reader.call(|connection| queue::next_due(connection)).await
    }

    async fn waiting(&self) -> Result<u64, InboxError> {
        self.reader.call(|connection| queue::waiting(connection)).await
    }

    async fn settle(&self, due: &Due, settled: &Settled) -> Result<bool, InboxError> {
        let (due, settled) = (due.clone(), settled.clone());
        self.writer.call(move |connection| queue::settle(connection, &due, &settled)).await
    }

    async fn take_badges(&self, now_ms: u64, limit: usize) -> Result<Vec<Badges>, InboxError> {
        self.writer.call(move |connection| badges::take(connection, now_ms, limit)).await
    }

    async fn follow(&self, user: &UserId, host: &UserId, at_ms: u64) -> Result<bool, InboxError> {
        let (user, host) = (user.clone(), host.clone());
        self.writer.call(move |connection| follows::follow(connection, &user, &host, at_ms)).await
    }

    async fn unfollow(&self, user: &UserId, host: &UserId) -> Result<(), InboxError> {
        let (user, host) = (user.clone(), host.clone());
        self.writer.call(move |connection| follows::unfollow(connection, &user, &host)).await
    }

    async fn follows(
        &self,
        user: &UserId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, InboxError> {
        let (user, after) = (user.clone(), after.cloned());
        self.reader.call(move |connection| follows::follows(connection, &user, after.as_ref(), limit)).await
    }

    async fn start_campaign(&self, campaign: &NewCampaign) -> Result<Campaign, InboxError> {
        let campaign = campaign.clone();
        self.writer.call(move |connection| follows::start(connection, &campaign)).await
    }

    async fn take_campaign(&self, take: Take) -> Result<Option<Campaign>, InboxError> {
        self.writer.call(move |connection| follows::take(connection, take)).await
    }

    async fn followers(
        &self,
        host: &UserId,
        after: UserNumber,
        limit: usize,
    ) -> Result<Vec<Follower>, InboxError> {
        let host = host.clone();
        self.reader.call(move |connection| follows::followers(connection, &host, after, limit)).await
    }

    async fn move_campaign(&self, campaign: &Campaign, due_ms: u64) -> Result<bool, InboxError> {
        let campaign = campaign.clone();
        self.writer.call(move |connection| follows::move_on(connection, &campaign, due_ms)).await
    }

    async fn erase_push(&self, user: &UserId) -> Result<(), InboxError> {
        let user = user.clone();
        self.writer.call(move |connection| devices::erase(connection, &user)).await
    }
}
