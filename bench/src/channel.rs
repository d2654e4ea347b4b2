//! The channel of a client: time of posts, of the first post after idling, and simulated heartbeats.

mod delay_proxy;
mod first_post;
mod posts;

use barrage_client::heartbeat::simulation;
use serde_json::json;

pub(crate) use first_post::FirstPost;
pub(crate) use posts::Posts;

/// Prints the figures of simulated heartbeats behind address translators of several kinds.
pub(crate) fn heartbeats() {
    let summary = simulation::summary();
    println!(
        "{}",
        json!({ "heartbeats_per_hour": summary.heartbeats_per_hour,
            "loss_noticed_s_p50": summary.loss_noticed_s_p50, "loss_noticed_s_p99": summary.loss_noticed_s_p99 })
    );
}

/// Returns a quantile of the delays, in milliseconds; `None` without any.
pub(crate) fn quantile_ms(delays: &mut [std::time::Duration], share: f64) -> Option<f64> {
    delays.sort_unstable();
    let index = (delays.len() as f64 * share) as usize;
    delays.get(index.min(delays.len().saturating_sub(1))).map(|delay| delay.as_secs_f64() * 1_000.0)
}
