//! How many watch a room, over all gateways.

use async_trait::async_trait;
use barrage_protocol::RoomId;

/// Sums what gateways count.
#[async_trait]
pub trait Online: Send + Sync {
    /// Tells one gateway's viewers by room and returns the sums over all gateways that
    /// told theirs lately, in the same order. `None` when they are not known now: a
    /// gateway then shows its own.
    async fn exchange(&self, gateway: &str, viewers: &[(RoomId, u64)]) -> Option<Vec<u64>>;
}

/// Where there is one gateway: its own counts are the sums.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalOnline;

#[async_trait]
impl Online for LocalOnline {
    async fn exchange(&self, _: &str, viewers: &[(RoomId, u64)]) -> Option<Vec<u64>> {
        Some(viewers.iter().map(|(_, count)| *count).collect())
    }
}
