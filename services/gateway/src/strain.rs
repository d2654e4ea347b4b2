//! How hard the gateway works: measured ten times a second, turned into an overload
//! level, and the two leaky limits that keep joins and egress smooth.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use barrage_flow::{LeakyBucket, Passage, Rate, RuleError, Verdict};
use tokio::runtime::Handle;

use crate::config::GatewayConfig;
use crate::gateway::Shared;
use crate::overload::{Level, OverloadLadder, Pressure};
use crate::tickets::Pass;

/// Between two measurements.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
/// Egress is counted in this unit, so that rates fit 32 bits.
const EGRESS_UNIT_BYTES: u64 = 1024;
/// So long may the next batch wait for the egress limit before that is overload: half
/// of what the bucket holds.
const EGRESS_WAIT_MAX: Duration = Duration::from_millis(500);
const CHAT_SHARE_UNIT: f64 = 1_000_000.0;
/// So long after a ticket was presented, part of the joins' queue is kept for others.
const RESERVE_FOR: Duration = Duration::from_secs(10);
/// What those without a ticket may take of the queue then.
const TICKETLESS_SHARE: f64 = 0.25;

/// What the parts of a gateway tell of their work, and what follows from it.
#[derive(Debug)]
pub(crate) struct Strain {
    origin: Instant,
    level: AtomicU8,
    chat_share_ppm: AtomicU32,
    lag_us: AtomicU64,
    /// The same since the last report.
    reported_lag_us: AtomicU64,
    joins: Mutex<Joins>,
    egress: Mutex<LeakyBucket>,
    /// The shards' runtimes, for the time that they are at work.
    workers: Mutex<Vec<Handle>>,
}

/// The queue of those who want in.
///
/// While tickets are presented, those without find it full at a quarter: so they take
/// only the turns that tickets leave, and a ticket finds room whatever the crowd.
#[derive(Debug)]
struct Joins {
    queue: LeakyBucket,
    ticketless_wait_max: Duration,
    ticket_at: Option<Duration>,
}

impl Joins {
    fn enter(&mut self, pass: &Pass, now: Duration) -> Result<Duration, Duration> {
        if matches!(pass, Pass::Ticket(_)) {
            self.ticket_at = Some(now);
        } else if self.ticket_at.is_some_and(|at| now.saturating_sub(at) < RESERVE_FOR) {
            let backlog = self.queue.backlog(now);
            if backlog > self.ticketless_wait_max {
                return Err(backlog - self.ticketless_wait_max);
            }
        }
        match self.queue.enter(1, now) {
            Passage::Leaves { wait } => Ok(wait),
            Passage::Refused(verdict) => {
                Err(Duration::from_millis(verdict.retry_after_ms().unwrap_or(1_000)))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strain {
    pub(crate) fn new(config: &GatewayConfig) -> Result<Self, RuleError> {
        let joins_wait = u64::from(config.joins_wait_ms_max);
        let depth = u64::from(config.joins_per_s) * joins_wait / 1_000;
        let joins = Rate::per_sec(config.joins_per_s, u32::try_from(depth).unwrap_or(u32::MAX).max(1))?;
        let units = config.egress_bytes_per_s / EGRESS_UNIT_BYTES;
        let units = u32::try_from(units).unwrap_or(u32::MAX).max(1);
        // One second's worth may wait before the limit.
        let egress = Rate::per_sec(units, units)?;
        Ok(Strain {
            origin: Instant::now(),
            level: AtomicU8::new(0),
            chat_share_ppm: AtomicU32::new(CHAT_SHARE_UNIT as u32),
            lag_us: AtomicU64::new(0),
            reported_lag_us: AtomicU64::new(0),
            joins: Mutex::new(Joins {
                queue: LeakyBucket::empty(joins, Duration::ZERO),
                ticketless_wait_max: Duration::from_millis(joins_wait).mul_f64(TICKETLESS_SHARE),
                ticket_at: None,
            }),
            egress: Mutex::new(LeakyBucket::empty(egress, Duration::ZERO)),
            workers: Mutex::default(),
        })
    }

    pub(crate) fn level(&self) -> Level {
        Level::ALL[usize::from(self.level.load(Ordering::Relaxed))]
    }

    /// Share of chat that is kept.
    pub(crate) fn chat_share(&self) -> f64 {
        f64::from(self.chat_share_ppm.load(Ordering::Relaxed)) / CHAT_SHARE_UNIT
    }

    pub(crate) fn worker(&self, runtime: Handle) {
        lock(&self.workers).push(runtime);
    }

    /// A batch took this long from its turn to its last write on a shard.
    pub(crate) fn delivered_after(&self, lag: Duration) {
        self.lag_us.fetch_max(micros(lag), Ordering::Relaxed);
    }

    /// The longest since it was last asked.
    pub(crate) fn take_lag(&self) -> Duration {
        Duration::from_micros(self.reported_lag_us.swap(0, Ordering::Relaxed))
    }

    /// When a viewer that came now is let in; `Err` says when to come back.
    pub(crate) fn join(&self, pass: &Pass) -> Result<Duration, Duration> {
        lock(&self.joins).enter(pass, self.origin.elapsed())
    }

    /// Bytes were sent or queued for sending. What the bucket has no room for is not
    /// counted: it is full then, and the overload level sees that.
    pub(crate) fn sent(&self, bytes: u64) {
        let units = u32::try_from(bytes.div_ceil(EGRESS_UNIT_BYTES)).unwrap_or(u32::MAX);
        let (mut egress, now) = (lock(&self.egress), self.origin.elapsed());
        if let Passage::Refused(Verdict::Refuse { remaining, .. }) = egress.enter(units, now) {
            egress.enter(remaining, now);
        }
    }

    /// How long the next batch should wait for the egress limit.
    pub(crate) fn egress_wait(&self) -> Duration {
        lock(&self.egress).backlog(self.origin.elapsed())
    }

    fn busy(&self) -> Vec<Duration> {
        lock(&self.workers).iter().map(|worker| worker.metrics().worker_total_busy_duration(0)).collect()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Measures until the shutdown.
pub(crate) async fn run(shared: &Shared) {
    let strain = &shared.strain;
    let mut ladder = OverloadLadder::new(shared.config.overload.clone());
    let mut tick = tokio::time::interval(MEASURE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut busy, mut at) = (strain.busy(), Instant::now());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shared.ended.cancelled() => return,
        }
        shared.parts.load.beat();
        let (busy_now, elapsed) = (strain.busy(), at.elapsed());
        at = Instant::now();
        let longest = busy_now.iter().zip(&busy).map(|(now, before)| now.saturating_sub(*before)).max();
        busy = busy_now;
        let late = elapsed.saturating_sub(MEASURE_EVERY);
        let delivered = Duration::from_micros(strain.lag_us.swap(0, Ordering::Relaxed));
        let lag = late.max(delivered);
        strain.reported_lag_us.fetch_max(micros(lag), Ordering::Relaxed);
        let pressure = Pressure {
            backlog_bytes: u64::try_from(shared.metrics.backlog_bytes.get()).unwrap_or(0),
            lag,
            busy_share: longest.unwrap_or_default().as_secs_f64() / elapsed.as_secs_f64().max(0.001),
            egress_share: strain.egress_wait().as_secs_f64() / EGRESS_WAIT_MAX.as_secs_f64(),
        };
        let before = strain.level();
        if let Some(level) = ladder.measure(&pressure, strain.origin.elapsed()) {
            let (axis, share) = pressure.worst(&shared.config.overload);
            shared.metrics.overload(level, axis);
            strain.level.store(level as u8, Ordering::Relaxed);
            let (level, pressure) = (level.label(), axis.label());
            let share = (share * 100.0).round() / 100.0;
            if strain.level() > before {
                tracing::warn!(level, pressure, share, "the gateway is overloaded");
            } else {
                tracing::info!(level, pressure, share, "the overload eases");
            }
        }
        strain.chat_share_ppm.store((ladder.chat_share() * CHAT_SHARE_UNIT) as u32, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_token::Ticket;

    #[test]
    fn while_tickets_come_the_others_have_a_quarter_of_the_queue() {
        let config = GatewayConfig { joins_per_s: 100, joins_wait_ms_max: 2_000, ..GatewayConfig::default() };
        let strain = Strain::new(&config).unwrap();
        let mut joins = strain.joins.into_inner().unwrap();
        let ticket = Ticket { room: "demo".parse().unwrap(), not_before_ms: 0, expires_ms: 1, id: 1 };
        let ticket = Pass::Ticket(ticket);
        let mut crowd = |pass: &Pass, at_secs: u64| {
            let at = Duration::from_secs(at_secs);
            std::iter::from_fn(|| joins.enter(pass, at).ok()).count()
        };
        assert_eq!(crowd(&Pass::None, 0), 200, "nobody has a ticket: the whole queue");
        assert_eq!((crowd(&ticket, 0), crowd(&ticket, 1)), (0, 100));
        assert_eq!(crowd(&Pass::None, 2), 0, "a second's worth waits still");
        assert_eq!(crowd(&Pass::None, 3), 51);
        assert_eq!(crowd(&ticket, 3), 149);
        assert_eq!(crowd(&Pass::None, 20), 200, "no ticket for a while");
    }
}
