//! Notifications: devices, settings, and hosts whom a user follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{RoomId, UserId};

/// Body of `PUT /v1/inbox/devices/{device}`: how notifications reach a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "platform", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceRequest {
    /// A browser, by Web Push.
    Web {
        /// Subscription of a browser, as `PushSubscription.toJSON()` returns it.
        subscription: PushSubscription,
    },
    /// An app on a device of Apple, by APNs.
    Apns {
        /// Device token, in hexadecimal.
        #[schemars(length(min = 1, max = 4096))]
        token: String,
    },
    /// An app on Android, by FCM.
    Fcm {
        /// Registration token of the app.
        #[schemars(length(min = 1, max = 4096))]
        token: String,
    },
    /// An app on a device whose vendor has a service of its own.
    Vendor {
        /// Name of the vendor's service, as the server is configured.
        #[schemars(length(min = 1, max = 32))]
        vendor: String,
        /// Token that the vendor's library gives.
        #[schemars(length(min = 1, max = 4096))]
        token: String,
    },
}

/// Subscription of a browser. Fields beside these are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PushSubscription {
    /// URL of the browser's push service, which begins with `https://`.
    #[schemars(length(min = 1, max = 2048))]
    pub endpoint: String,
    /// Keys by which the server encrypts.
    pub keys: PushKeys,
}

/// Keys of a browser's subscription, in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PushKeys {
    /// Public key of the browser: 65 bytes.
    #[schemars(length(max = 100))]
    pub p256dh: String,
    /// Secret that the browser shares with the server: 16 bytes.
    #[schemars(length(max = 40))]
    pub auth: String,
}

/// Answer to the registration of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAnswer {
    /// Id of the device.
    pub device: String,
    /// Whether the registration is new.
    pub outcome: DeviceOutcome,
}

/// What a registration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOutcome {
    /// The device is new, or has another token now.
    Registered,
    /// The device had this token before.
    Renewed,
}

/// Answer to the removal of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRemoved {
    /// Id of the device.
    pub device: String,
    /// Whether there was a device with this id.
    pub removed: bool,
}

/// Answer of `GET /v1/inbox/devices`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DevicesAnswer {
    /// Devices of the user, by id; at most 20.
    pub devices: Vec<DeviceView>,
}

/// A device of a user, without its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceView {
    /// Id that the device chose for itself.
    pub device: String,
    /// Service that reaches it: `web`, `apns`, `fcm` or the name of a vendor.
    pub platform: String,
    /// Unix time of its last registration in milliseconds.
    pub registered_at_ms: u64,
}

/// Answer of `GET /v1/push/key`: what a client needs before it asks for permission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PushKeyAnswer {
    /// Services that this server sends to: `web`, `apns`, `fcm`, names of vendors. None where notifications are off.
    pub services: Vec<String>,
    /// Public VAPID key in base64url, for `applicationServerKey`; absent where `web` is not among the services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a user is notified of: body and answer of `/v1/inbox/notifications`. An absent field has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationSettings {
    /// Letters, and items of groups whose members want each.
    #[serde(default = "yes")]
    pub letters: bool,
    /// Items of groups that mention the user.
    #[serde(default = "yes")]
    pub mentions: bool,
    /// Hosts whom the user follows, when they go live.
    #[serde(default = "yes")]
    pub live: bool,
    /// Hours of the day without notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
    /// Unix time in milliseconds up to which there are none at all; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub muted_until_ms: u64,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        NotificationSettings { letters: true, mentions: true, live: true, quiet: None, muted_until_ms: 0 }
    }
}

/// Hours of each day without notifications, in the user's own time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Begin, such as `22:30`.
    #[schemars(regex(pattern = "^[0-2][0-9]:[0-5][0-9]$"))]
    pub from: String,
    /// End, such as `07:00`; before `from`, it is on the next day.
    #[schemars(regex(pattern = "^[0-2][0-9]:[0-5][0-9]$"))]
    pub to: String,
    /// Time zone by its name, such as `Europe/Berlin`.
    #[schemars(length(min = 1, max = 64))]
    pub zone: String,
}

/// Answer to a change of whom a user follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FollowAnswer {
    /// Host whom the request named.
    pub host: UserId,
    /// Whether the user follows the host now.
    pub follows: bool,
}

/// Hosts whom a user follows, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FollowsPage {
    /// Hosts of this page.
    pub hosts: Vec<UserId>,
    /// Value of `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<UserId>,
}

/// Body of `POST /v1/admin/hosts/{host}/live`: the followers of the host are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveRequest {
    /// Id of the stream: with the same id, followers are told once.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub stream: String,
    /// Room that the notification opens.
    pub room: RoomId,
    /// Title of the stream.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub title: String,
}

/// Progress of telling followers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiveAnswer {
    /// Id of the stream.
    pub stream: String,
    /// Host who is live.
    pub host: UserId,
    /// Followers of the host at the start.
    pub followers: u64,
    /// Followers who were told so far.
    pub told: u64,
    /// Whether all are told.
    pub ended: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
