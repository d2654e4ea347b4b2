//! Measures the gateway's load ten times a second, and puts the overload level and the factor on windows in
//! force.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::context::Context;
use crate::load::{FanOutShares, OverloadLadder, Pressure, WindowStretch};

/// Time between two measurements of the load; a late measurement counts as lag.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
/// Wait for the egress limit that counts as overload: half of the bucket.
const EGRESS_WAIT_MAX: Duration = Duration::from_millis(500);

/// Measures the load until the gateway ends, and puts the overload level and the factor on windows in force.
pub(crate) async fn measure_load(context: &Context) {
    let load = &context.load;
    let mut ladder = OverloadLadder::new(context.config.overload.clone());
    let mut stretch = WindowStretch::new();
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
        let (busiest, windowed) = busiest(&busy_before, &busy, &load.costs.take_windowed());
        let pressure = pressure(context, busiest, elapsed);
        stretch_windows(context, &mut stretch, pressure.busy_share, windowed, elapsed);
        update(context, &mut ladder, &pressure, started);
    }
}

/// Returns the longest busy time of a shard between two readings, and the fixed costs of its windowed writes.
fn busiest(before: &[Duration], now: &[Duration], windowed: &[Duration]) -> (Duration, Duration) {
    let busy = now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before));
    busy.zip(windowed.iter().copied()).max().unwrap_or_default()
}

/// Lengthens the windows where the busiest shard spends too much of its time on writes.
fn stretch_windows(
    context: &Context,
    stretch: &mut WindowStretch,
    busy: f64,
    windowed: Duration,
    elapsed: Duration,
) {
    let (load, config) = (&context.load, &context.config);
    let windowed = windowed.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
    let shares = FanOutShares { busy, windowed, beside: f64::from(load.level().window_factor()) };
    let stretch_max = config.window_ms_max as f64 / config.window_ms as f64;
    load.set_window_stretch(stretch.measure(shares, stretch_max));
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
        let found = busiest(&secs([1, 5, 9]), &secs([2, 9, 9]), &secs([8, 3, 8]));
        assert_eq!(found, (Duration::from_secs(4), Duration::from_secs(3)), "the busiest one's writes");
        assert_eq!(busiest(&[], &[], &[]), (Duration::ZERO, Duration::ZERO));
    }
}
