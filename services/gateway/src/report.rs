//! What a gateway says of itself every second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage_bus::{InstanceReport, Role};
use barrage_scaling::LoadReport;

use crate::gateway::Shared;

/// Between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Rates are counted over no shorter time: a report out of turn, or one after a stall, would
/// make a rate of a moment.
const COUNTED_MIN: Duration = Duration::from_millis(500);
/// Upper ends of the histogram of push times, in milliseconds; beyond is one more.
const PUSH_BOUNDS_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 75, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// From acceptance to viewers' sockets, since the last report.
#[derive(Debug, Default)]
pub(crate) struct PushTimes([AtomicU64; PUSH_BOUNDS_MS.len() + 1]);

impl PushTimes {
    /// So many viewers were written to, so late.
    pub(crate) fn add(&self, elapsed_ms: u64, viewers: u64) {
        let bucket = PUSH_BOUNDS_MS.partition_point(|bound| *bound < elapsed_ms);
        self.0[bucket].fetch_add(viewers, Ordering::Relaxed);
    }

    /// The bucket's end that 99 in 100 were within; begins anew. 0 when there was
    /// nothing, twice the greatest end when that was not enough.
    fn take_p99_ms(&self) -> u64 {
        let counts: Vec<u64> = self.0.iter().map(|count| count.swap(0, Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let mut within = 0;
        let reached = counts.iter().position(|count| {
            within += count;
            within * 100 >= all * 99
        });
        match reached {
            _ if all == 0 => 0,
            Some(bucket) => PUSH_BOUNDS_MS.get(bucket).copied().unwrap_or(20_000),
            None => 0,
        }
    }
}

/// Counters that only grow, at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    joins: u64,
    deliveries: u64,
    sent_bytes: u64,
    writes: u64,
    cpu: Duration,
}

impl Reading {
    fn take(shared: &Shared) -> Self {
        let metrics = &shared.metrics;
        Reading {
            at: Instant::now(),
            joins: metrics.joins.get(),
            deliveries: metrics.deliveries(),
            sent_bytes: metrics.sent_bytes.get(),
            writes: metrics.writes.get(),
            cpu: usage().map_or(Duration::ZERO, |(cpu, _)| cpu),
        }
    }
}

/// Processor time and resident bytes of this process.
fn usage() -> Option<(Duration, u64)> {
    let stat = procfs::process::Process::myself().and_then(|process| process.stat()).ok()?;
    let cpu = Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64);
    Some((cpu, stat.rss * procfs::page_size()))
}

/// Tells the registry how this gateway is, and at once when it begins to drain or stays
/// after all; until the end, and then once more.
pub(crate) async fn run(shared: &Shared) {
    let mut tick = tokio::time::interval(REPORT_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let started = Instant::now();
    let mut before = Reading::take(shared);
    let mut earlier = before;
    let mut departures = shared.departures.changes();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = departures.changed() => {}
            () = shared.ended.cancelled() => {}
        }
        shared.parts.report.beat();
        let now = Reading::take(shared);
        let has_ended = shared.ended.is_cancelled();
        if now.at.duration_since(before.at) >= COUNTED_MIN {
            earlier = std::mem::replace(&mut before, now);
        }
        let report = InstanceReport {
            role: Role::Gateway,
            id: shared.config.id.clone(),
            base_urls: shared.config.base_urls.clone(),
            admin_url: None,
            age_secs: started.elapsed().as_secs(),
            draining: has_ended || shared.departures.is_draining(),
            conservation_error: shared.metrics.ledger.error_of(&["hub", "waves", "fan_out", "viewers"]),
            load: load(shared, &earlier, &now),
            entry: None,
        };
        if let Err(error) = shared.parts.report.while_waiting(shared.bus.report(report)).await {
            // The bus logs once that its servers do not answer.
            tracing::debug!(%error, "the load report was not taken");
        }
        if has_ended {
            return;
        }
    }
}

fn load(shared: &Shared, before: &Reading, now: &Reading) -> LoadReport {
    let secs = now.at.duration_since(before.at).as_secs_f64().max(0.001);
    let per_s = |before: u64, now: u64| now.saturating_sub(before) as f64 / secs;
    LoadReport {
        connections: shared.viewers() as f64,
        connections_max: shared.config.viewers_max,
        rooms: shared.rooms.len() as u64,
        joins_per_s: per_s(before.joins, now.joins),
        joins_per_s_max: shared.config.joins_per_s,
        deliveries_per_s: per_s(before.deliveries, now.deliveries),
        egress_bytes_per_s: per_s(before.sent_bytes, now.sent_bytes),
        writes_per_s: per_s(before.writes, now.writes),
        backlog_bytes: shared.metrics.backlog_bytes.get().max(0) as f64,
        cpu_cores: now.cpu.saturating_sub(before.cpu).as_secs_f64() / secs,
        memory_bytes: usage().map_or(0.0, |(_, bytes)| bytes as f64),
        lag_ms: shared.strain.take_lag().as_secs_f64() * 1_000.0,
        push_p99_ms: shared.pushes.take_p99_ms() as f64,
        overload_level: shared.strain.level() as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_hundredth_is_left_out_and_counting_begins_anew() {
        let pushes = PushTimes::default();
        assert_eq!(pushes.take_p99_ms(), 0);
        pushes.add(40, 99);
        pushes.add(4_000, 1);
        assert_eq!(pushes.take_p99_ms(), 50);
        pushes.add(40, 98);
        pushes.add(4_000, 2);
        assert_eq!(pushes.take_p99_ms(), 5_000);
        pushes.add(60_000, 1);
        assert_eq!(pushes.take_p99_ms(), 20_000);
        assert_eq!(pushes.take_p99_ms(), 0);
    }

    #[test]
    fn this_process_uses_memory() {
        let (_, bytes) = usage().unwrap();
        assert!(bytes > 1_000_000, "{bytes}");
    }
}
