//! Mail: what couriers send to gateways for attached users, and what gateways announce to couriers.
//!
//! Nothing is stored, and everything may be lost: the inbox has it all. Envelopes of one courier to one gateway
//! are numbered, so that the gateway notices a loss and lets its users synchronise.

mod receiver;
mod wire;

use std::fmt;

use async_trait::async_trait;
use barrage_protocol::UserId;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::BusError;

pub use receiver::MailReceiver;
pub(crate) use wire::{read_attachments, read_envelope, write_attachments, write_envelope};

/// Maximum size of an encoded envelope or announcement, in bytes: below the largest message of a NATS server.
pub const MAIL_BYTES_MAX: usize = 512 * 1024;
/// Maximum number of users in one announcement; a snapshot of more has several parts.
pub const ATTACHMENTS_MAX: usize = 16 * 1024;

/// Names a user, or a device in its hand, on the way of mail. A gateway compares it, and needs no id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserHash([u8; 16]);

impl UserHash {
    /// Returns the hash of a user: the first 128 bits of a SHA-256, the same in every process.
    #[must_use]
    pub fn of(user: &UserId) -> Self {
        let hash = Sha256::new().chain_update("barrage mail\n").chain_update(user.as_str()).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        UserHash(bytes)
    }

    /// Returns the hash of a user's device, which is announced while the device is in the user's hand. No mail has it.
    #[must_use]
    pub fn of_device(user: &UserId, device: &str) -> Self {
        let hash = Sha256::new().chain_update("barrage device\n").chain_update(user.as_str());
        let hash = hash.chain_update("\n").chain_update(device).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        UserHash(bytes)
    }

    /// Returns the hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        UserHash(bytes)
    }

    /// Returns the bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for UserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Frames of one lane for users who are attached to one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailEnvelope {
    /// Lane whose events the frames tell of.
    pub lane: u16,
    /// Random number of the courier's run: its envelopes to a gateway are numbered from 1.
    pub source: u64,
    /// Number of the envelope; a number that is missing was lost.
    pub number: u64,
    /// Frames with their receivers. None at all shows that nothing was lost before.
    pub groups: Vec<MailGroup>,
}

/// One frame for some users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailGroup {
    /// Users who get the frame.
    pub users: Vec<UserHash>,
    /// JSON of the frame, which the gateway does not read.
    pub frame: Bytes,
}

/// News for a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailNews {
    /// Frames for users who are attached to it.
    Envelope(MailEnvelope),
    /// A courier has started: the gateway announces all its users.
    RollCall,
}

/// Announcement of a gateway: who is attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachments {
    /// Name of the gateway.
    pub gateway: String,
    /// The part of a snapshot; `None` for changes since the announcement before.
    pub snapshot: Option<SnapshotPart>,
    /// Users who are attached, at most [`ATTACHMENTS_MAX`].
    pub attached: Vec<UserHash>,
    /// Users who are attached no more, at most [`ATTACHMENTS_MAX`]; empty in a snapshot.
    pub detached: Vec<UserHash>,
}

/// Place of an announcement in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPart {
    /// Number of the part, from 0.
    pub part: u16,
    /// Number of parts, at least 1.
    pub parts: u16,
}

/// The transient way of mail. No call waits; what does not fit is dropped.
#[async_trait]
pub trait Mail: Send + Sync + fmt::Debug + 'static {
    /// Sends an envelope to a gateway, or drops it when too many wait.
    fn send(&self, gateway: &str, envelope: MailEnvelope);

    /// Asks all gateways to announce all their users.
    fn call_roll(&self);

    /// Announces to all couriers who is attached, or drops the announcement when too many wait.
    fn announce(&self, attachments: Attachments);

    /// Receives the news for a gateway from now on. Older news are dropped when too many wait.
    async fn news(&self, gateway: &str) -> Result<MailReceiver<MailNews>, BusError>;

    /// Receives the announcements of all gateways from now on.
    async fn attachments(&self) -> Result<MailReceiver<Attachments>, BusError>;
}

impl MailGroup {
    /// Returns the size of the group in an encoded envelope, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        wire::GROUP_BYTES + self.users.len() * size_of::<UserHash>() + self.frame.len()
    }
}
