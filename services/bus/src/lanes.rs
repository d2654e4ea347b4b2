//! Lanes: a durable log of inbox events, beside the log of rooms. Letters never queue before gifts.

use async_trait::async_trait;
use barrage_protocol::Sequence;
use bytes::Bytes;
use tokio::sync::watch;

use crate::error::BusError;

/// Maximum size of one body, in bytes.
pub const LANE_BODY_BYTES_MAX: usize = 64 * 1024;
/// Maximum length of a key, in bytes: a sender, a conversation, and an id.
pub const LANE_KEY_BYTES_MAX: usize = 256;
/// Maximum number of events in one append.
pub const LANE_APPEND_MAX: usize = 64;
/// Maximum size of all bodies of one append, in bytes: below the largest message of a NATS server.
pub const LANE_APPEND_BYTES_MAX: usize = 512 * 1024;
/// Maximum number of entries in one read.
pub const LANE_READ_MAX: usize = 1_000;

/// An event that has no position yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDraft {
    /// Key of the event, at most [`LANE_KEY_BYTES_MAX`]: a second append with the same keys is a duplicate for
    /// some time. The inbox knows the ids of letters for ever, and has the last word. `None` for events that
    /// may come twice.
    pub key: Option<String>,
    /// Hash of the event: the same key with another hash is a conflict.
    pub fingerprint: u64,
    /// The event, opaque to the bus, at most [`LANE_BODY_BYTES_MAX`].
    pub body: Bytes,
}

/// Result of appending one event; the event, or the first one of its key, is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneReceipt {
    /// Position in the lane; for a duplicate, of the first event with the key.
    pub sequence: Sequence,
    /// The lane had the key already.
    pub duplicate: bool,
}

/// An event of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneEntry {
    /// Position in the lane. Positions grow, never repeat, and may skip.
    pub sequence: Sequence,
    /// Unix time of acceptance, in milliseconds.
    pub at_ms: u64,
    /// The event, opaque to the bus.
    pub body: Bytes,
}

/// Appends to lanes and reads them. Nothing expires by age: an entry stays until [`Lanes::forget`], which
/// its reader calls when the entry has had its effect. A full lane refuses appends.
#[async_trait]
pub trait Lanes: Send + Sync + 'static {
    /// Returns the number of lanes, which stays as it is.
    fn lanes(&self) -> u16;

    /// Appends all drafts to a lane, or none, in order and with nothing between them; returns when they
    /// are durable.
    async fn append(&self, lane: u16, drafts: Vec<LaneDraft>) -> Result<Vec<LaneReceipt>, BusError>;

    /// Reads the oldest durable entries after a position, at most `limit` and [`LANE_READ_MAX`]. An empty
    /// answer means that there are no more; a short one does not.
    async fn read(&self, lane: u16, after: Sequence, limit: usize) -> Result<Vec<LaneEntry>, BusError>;

    /// Returns the newest durable position of a lane, as a value that changes with it. It may be a position
    /// behind the newest entry, which no entry has.
    fn tail(&self, lane: u16) -> watch::Receiver<Sequence>;

    /// Removes entries up to a position that were accepted before a Unix time in milliseconds. An engine may
    /// keep some of them until a later call. Returns the number of stored records that it removed.
    async fn forget(&self, lane: u16, up_to: Sequence, before_ms: u64) -> Result<u64, BusError>;
}

/// Returns the lane of a key, the same in every process and version.
#[must_use]
pub fn lane_of(key: &str, lanes: u16) -> u16 {
    // FNV-1a: short keys, no adversary. Who floods one lane floods one conversation.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The remainder is below `lanes`, so that it fits.
    u16::try_from((hash ^ (hash >> 32)) % u64::from(lanes.max(1))).unwrap_or(0)
}

/// Checks the bounds of an append.
pub(crate) fn check(drafts: &[LaneDraft]) -> Result<(), BusError> {
    let is_long = |draft: &LaneDraft| {
        draft.body.len() > LANE_BODY_BYTES_MAX
            || draft.key.as_ref().is_some_and(|key| key.len() > LANE_KEY_BYTES_MAX)
    };
    let bytes: usize = drafts.iter().map(|draft| draft.body.len()).sum();
    if drafts.len() > LANE_APPEND_MAX || bytes > LANE_APPEND_BYTES_MAX || drafts.iter().any(is_long) {
        return Err(BusError::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_of_a_key_never_changes() {
        let found: Vec<_> = ["g.fans", "d.00ff", "ann", ""].map(|key| lane_of(key, 16)).into();
        assert_eq!(found, LANES_OF_KEYS);
    }

    /// A change of these would put a conversation into a second lane beside its first.
    const LANES_OF_KEYS: [u16; 4] = [2, 3, 1, 1];

    #[test]
    fn keys_are_spread_evenly() {
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            counts[usize::from(lane_of(&format!("g.{number}"), 16))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        assert_eq!((lane_of("any", 1), lane_of("any", 0)), (0, 0));
    }
}
