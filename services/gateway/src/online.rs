//! How many watch each room, over all gateways.

use std::sync::Arc;
use std::time::Duration;

use barrage_flow::Online;

use crate::gateway::Shared;

/// Between two exchanges.
const EXCHANGE_EVERY: Duration = Duration::from_secs(2);
/// With more than twice as many rooms there is more time between exchanges: 20,000 rooms
/// take 5 s, and a count lapses after 10.
const ROOMS_PER_S_MAX: usize = 4_000;

/// Exchanges counts with the other gateways until the shutdown.
pub(crate) async fn run(shared: &Shared, online: Arc<dyn Online>) {
    let mut wait = EXCHANGE_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.shutdown.cancelled() => return,
            () = shared.ended.cancelled() => return,
        }
        let rooms = shared.rooms.all();
        let counts: Vec<_> = rooms.iter().map(|room| (room.id.clone(), room.viewers())).collect();
        let sums = online.exchange(&shared.config.id, &counts).await;
        for (at, room) in rooms.iter().enumerate() {
            let sum = sums.as_ref().and_then(|sums| sums.get(at));
            room.set_elsewhere(sum.map_or(0, |sum| sum.saturating_sub(counts[at].1)));
        }
        let secs = u64::try_from(rooms.len() / ROOMS_PER_S_MAX).unwrap_or(u64::MAX);
        wait = EXCHANGE_EVERY.max(Duration::from_secs(secs));
    }
}
