//! Exchanges the viewers of each room with the other gateways.

use std::sync::Arc;
use std::time::Duration;

use barrage_counters::Online;

use crate::context::Context;
use crate::room::Room;

/// Shortest time between two exchanges of viewer counts.
const EXCHANGE_EVERY: Duration = Duration::from_secs(2);
/// Rooms a second that are exchanged at most. More than twice as many rooms stretch the time
/// between exchanges: 20,000 rooms take 5 s, and a count lapses after 10.
const ROOMS_PER_S_MAX: usize = 4_000;

/// Exchanges viewer counts with other gateways until the shutdown. After a failure only own viewers
/// count.
pub(crate) async fn exchange_counts(context: &Context, online: Arc<dyn Online>) {
    let mut wait = EXCHANGE_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = context.lifecycle.shutdown.cancelled() => return,
            () = context.lifecycle.ended.cancelled() => return,
        }
        let mut rooms = context.rooms.all();
        rooms.retain(|room| !room.id.is_probe());
        // Two views of a room count together.
        rooms.sort_by(|a, b| a.id.cmp(&b.id));
        let views: Vec<_> = rooms.chunk_by(|a, b| a.id == b.id).collect();
        let count = |views: &&[Arc<Room>]| views.iter().map(|room| room.audience()).sum::<u64>();
        let counts: Vec<_> = views.iter().map(|views| (views[0].id.clone(), count(views))).collect();
        let sums = online.exchange(&context.config.id, &counts).await;
        for (at, views) in views.iter().enumerate() {
            let sum = sums.as_ref().and_then(|sums| sums.get(at)).copied();
            let sum = sum.unwrap_or_default().max(counts[at].1);
            views.iter().for_each(|room| room.set_viewers_elsewhere(sum.saturating_sub(room.audience())));
        }
        wait = wait_after(rooms.len());
    }
}

fn wait_after(rooms: usize) -> Duration {
    let secs = u64::try_from(rooms / ROOMS_PER_S_MAX).unwrap_or(u64::MAX);
    EXCHANGE_EVERY.max(Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rooms_stretch_the_time_between_exchanges() {
        assert_eq!(wait_after(10), Duration::from_secs(2));
        assert_eq!(wait_after(20_000), Duration::from_secs(5));
    }
}
