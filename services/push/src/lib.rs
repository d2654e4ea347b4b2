//! Notifications for people who do not look: what to send to whom, in the forms of Web Push, APNs and FCM, and what the
//! answers of these services mean.
//!
//! Everything here is without I/O and without a clock. Random numbers are used by the encryption alone.

mod answer;
mod apns;
mod device;
mod due;
mod encrypt;
mod fcm;
mod fcm_account;
mod jwt;
mod note;
mod settings;
mod subscription;
mod vapid;
mod vendor;

pub use answer::{Verdict, of_apns, of_fcm, of_vendor, of_web};
pub use apns::{APNS_BYTES_MAX, ApnsKey, ApnsRequest};
pub use device::{Device, DeviceId, Presence, is_gone};
pub use due::{DUE_AFTER_MS, Due, Plan, Waiting, badges_to_lower, plan};
pub use encrypt::{EncryptError, PLAIN_BYTES_MAX, encrypt};
pub use fcm::{FCM_BYTES_MAX, fcm_badge, fcm_message};
pub use fcm_account::{AccessToken, AccountError, FcmAccount};
pub use jwt::KeyError;
pub use note::{Note, NoteKind, web_text};
pub use settings::{SettingsError, check_settings, wants};
pub use subscription::{SubscriptionError, WebSubscription};
pub use vapid::VapidKey;
pub use vendor::VendorTemplate;
