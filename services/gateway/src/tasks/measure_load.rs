//! Measures the gateway's load ten times a second, and puts the overload level in force.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::load::{OverloadLadder, Pressure};

/// Time between two measurements of the load; a late measurement counts as lag.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
/// Wait for the egress limit that counts as overload: half of the bucket.
const EGRESS_WAIT_MAX: Duration = Duration::from_millis(500);

/// Measures the load until the gateway ends, and puts the overload level in force.
pub(crate) async fn measure_load(context: &Context) {
    let load = &context.load;
    let mut ladder = OverloadLadder::new(context.config.overload.clone());
    let mut tick = tokio::time::interval(MEASURE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = barrage_clock::now();
    let (mut busy, mut at) = (load.busy_times(), started);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = context.lifecycle.ended.cancelled() => return,
        }
        context.lifecycle.heartbeats.load.beat();
        let (busy_before, elapsed) = (std::mem::replace(&mut busy, load.busy_times()), at.elapsed());
        at = barrage_clock::now();
        let pressure = pressure(context, busiest(&busy_before, &busy), elapsed);
        update(context, &mut ladder, &pressure, started);
    }
}

/// Returns the longest busy time of a shard between two readings.
fn busiest(before: &[Duration], now: &[Duration]) -> Duration {
    let busy = now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before));
    busy.max().unwrap_or_default()
}

fn pressure(context: &Context, busiest: Duration, elapsed: Duration) -> Pressure {
    let load = &context.load;
    Pressure {
        backlog_bytes: u64::try_from(context.metrics.backlog_bytes.get()).unwrap_or(0),
        lag: load.measure_lag(elapsed.saturating_sub(MEASURE_EVERY)),
        busy_share: busiest.as_secs_f64() / elapsed.as_secs_f64().max(0.001),
        egress_share: load.egress().wait().as_secs_f64() / EGRESS_WAIT_MAX.as_secs_f64(),
    }
}

/// Puts the level of a measurement in force, and logs a change.
fn update(context: &Context, ladder: &mut OverloadLadder, pressure: &Pressure, started: Instant) {
    let before = context.load.level();
    let changed = ladder.measure(pressure, started.elapsed());
    context.load.set_level(changed.unwrap_or(before), ladder.chat_share());
    let Some(level) = changed else { return };
    let (axis, share) = pressure.worst(&context.config.overload);
    context.metrics.overload(level, axis);
    let (label, pressure) = (level.label(), axis.label());
    let share = (share * 100.0).round() / 100.0;
    if level > before {
        tracing::warn!(level = label, pressure, share, "overload level raised");
    } else {
        tracing::info!(level = label, pressure, share, "overload level lowered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_shard_counts() {
        let secs = |all: [u64; 3]| all.map(Duration::from_secs);
        assert_eq!(busiest(&secs([1, 5, 9]), &secs([2, 9, 9])), Duration::from_secs(4));
        assert_eq!(busiest(&[], &[]), Duration::ZERO);
    }
}
