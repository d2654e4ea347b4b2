//! Reports the gateway's load to the registry every second.

use std::time::{Duration, Instant};

use barrage_bus::{InstanceReport, Role};
use barrage_scaling::LoadReport;
use tokio::time::MissedTickBehavior;

use crate::context::Context;

/// Time between two reports of load to the registry.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Least time over which rates are counted: a report out of turn, or after a stall, would count a
/// rate over a moment.
const COUNTED_MIN: Duration = Duration::from_millis(500);
/// Counters at one moment; they only grow.
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
    fn take(context: &Context) -> Self {
        let metrics = &context.metrics;
        Reading {
            at: barrage_clock::now(),
            joins: metrics.joins.get(),
            deliveries: metrics.deliveries(),
            sent_bytes: metrics.sent_bytes.get(),
            writes: metrics.writes.get(),
            cpu: usage().map_or(Duration::ZERO, |(cpu, _)| cpu),
        }
    }
}

/// Returns the processor time and the resident bytes of this process.
fn usage() -> Option<(Duration, u64)> {
    let stat = procfs::process::Process::myself().and_then(|process| process.stat()).ok()?;
    let cpu = Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64);
    Some((cpu, stat.rss * procfs::page_size()))
}

/// Reports every second, and at once when a drain starts or is cancelled. Ends with a last report
/// when the gateway ends.
pub(crate) async fn report_load(context: &Context) {
    let mut tick = tokio::time::interval(REPORT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = barrage_clock::now();
    let mut before = Reading::take(context);
    let mut earlier = before;
    let mut drains = context.drains.subscribe();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = drains.changed() => {}
            () = context.lifecycle.ended.cancelled() => {}
        }
        context.lifecycle.heartbeats.report.beat();
        let now = Reading::take(context);
        let has_ended = context.lifecycle.ended.is_cancelled();
        if now.at.duration_since(before.at) >= COUNTED_MIN {
            earlier = std::mem::replace(&mut before, now);
        }
        let report = InstanceReport {
            role: Role::Gateway,
            id: context.config.id.clone(),
            base_urls: context.config.base_urls.clone(),
            admin_url: None,
            place: context.config.place(),
            age_secs: started.elapsed().as_secs(),
            draining: has_ended || context.drains.is_draining(),
            conservation_error: context.metrics.ledger.error_of(&["hub", "waves", "fan_out", "viewers"]),
            load: load(context, &earlier, &now),
            uplink: None,
            entry: None,
            scaling: None,
        };
        if let Err(error) =
            context.lifecycle.heartbeats.report.while_waiting(context.bus.report(report)).await
        {
            // At debug level: the bus logs by itself, once, that its servers do not answer.
            tracing::debug!(%error, "the bus did not take the load report");
        }
        if has_ended {
            return;
        }
    }
}

fn load(context: &Context, before: &Reading, now: &Reading) -> LoadReport {
    let secs = now.at.duration_since(before.at).as_secs_f64().max(0.001);
    let per_s = |before: u64, now: u64| now.saturating_sub(before) as f64 / secs;
    LoadReport {
        connections: context.gate.places.taken() as f64,
        connections_max: context.config.viewers_max,
        rooms: context.rooms.all().iter().filter(|room| !room.id.is_probe()).count() as u64,
        joins_per_s: per_s(before.joins, now.joins),
        joins_per_s_max: context.config.joins_per_s,
        deliveries_per_s: per_s(before.deliveries, now.deliveries),
        egress_bytes_per_s: per_s(before.sent_bytes, now.sent_bytes),
        writes_per_s: per_s(before.writes, now.writes),
        backlog_bytes: context.metrics.backlog_bytes.get().max(0) as f64,
        cpu_cores: now.cpu.saturating_sub(before.cpu).as_secs_f64() / secs,
        memory_bytes: usage().map_or(0.0, |(_, bytes)| bytes as f64),
        lag_ms: context.load.take_reported_lag().as_secs_f64() * 1_000.0,
        push_p99_ms: context.push_times.take_p99_ms() as f64,
        overload_level: context.load.level() as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        let (_, bytes) = usage().unwrap();
        assert!(bytes > 1_000_000, "{bytes}");
    }
}
