//! Viewers of a room, summed over all gateways.

use async_trait::async_trait;
use barrage_protocol::RoomId;

/// Sums the counts of all gateways, so that each can show a room's whole audience.
#[async_trait]
pub trait Online: Send + Sync {
    /// Stores one gateway's viewers by room, and returns the sums over all gateways that stored
    /// theirs recently, in the same order. `None` when the sums are unknown: the gateway then shows
    /// its own counts.
    async fn exchange(&self, gateway: &str, viewers: &[(RoomId, u64)]) -> Option<Vec<u64>>;
}

/// The engine of a single gateway: its own counts are the sums.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalOnline;

#[async_trait]
impl Online for LocalOnline {
    async fn exchange(&self, _: &str, viewers: &[(RoomId, u64)]) -> Option<Vec<u64>> {
        Some(viewers.iter().map(|(_, count)| *count).collect())
    }
}
