use std::time::{Duration, Instant};

use barrage_flow::{BucketOutcome, LeakyBucket, Rate, RuleError};
use parking_lot::Mutex;

use super::Pass;

/// After a ticket was presented, part of the queue stays reserved for tickets for this long.
const RESERVE_FOR: Duration = Duration::from_secs(10);
/// Share of the queue that joins without a ticket may take meanwhile.
const TICKETLESS_SHARE: f64 = 0.25;

/// Queue of joins: gives each join a slot, at the configured rate.
///
/// While tickets are presented, the queue is full for other joins at a quarter. So they take only
/// the slots that tickets leave, and a ticket finds a slot however many viewers come.
#[derive(Debug)]
pub(crate) struct JoinQueue {
    started_at: Instant,
    slots: Mutex<Slots>,
}

impl JoinQueue {
    /// Fails when `joins_per_s` is zero. `wait_ms_max` is the longest wait for a slot.
    pub(crate) fn new(joins_per_s: u32, wait_ms_max: u32) -> Result<Self, RuleError> {
        Ok(JoinQueue {
            started_at: barrage_clock::now(),
            slots: Mutex::new(Slots::new(joins_per_s, wait_ms_max)?),
        })
    }

    /// Returns the wait until the join's slot; an error with the time until a slot is free.
    pub(crate) fn enter(&self, pass: &Pass) -> Result<Duration, Duration> {
        self.slots.lock().enter(pass, self.started_at.elapsed())
    }
}

#[derive(Debug)]
struct Slots {
    queue: LeakyBucket,
    ticketless_wait_max: Duration,
    ticket_at: Option<Duration>,
}

impl Slots {
    fn new(joins_per_s: u32, wait_ms_max: u32) -> Result<Self, RuleError> {
        let depth = u64::from(joins_per_s) * u64::from(wait_ms_max) / 1_000;
        let rate = Rate::per_sec(joins_per_s, u32::try_from(depth).unwrap_or(u32::MAX).max(1))?;
        Ok(Slots {
            queue: LeakyBucket::empty(rate, Duration::ZERO),
            ticketless_wait_max: Duration::from_millis(wait_ms_max.into()).mul_f64(TICKETLESS_SHARE),
            ticket_at: None,
        })
    }

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
            BucketOutcome::Leaves { wait } => Ok(wait),
            BucketOutcome::Refused(verdict) => {
                Err(Duration::from_millis(verdict.retry_after_ms().unwrap_or(1_000)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_token::Ticket;

    use super::*;

    #[test]
    fn joins_without_a_ticket_have_a_quarter_of_the_queue_while_tickets_come() {
        let mut slots = Slots::new(100, 2_000).unwrap();
        let ticket = Ticket { room: "demo".parse().unwrap(), not_before_ms: 0, expires_ms: 1, id: 1 };
        let ticket = Pass::Ticket(ticket);
        let mut join_all = |pass: &Pass, at_secs: u64| {
            let at = Duration::from_secs(at_secs);
            std::iter::from_fn(|| slots.enter(pass, at).ok()).count()
        };
        assert_eq!(join_all(&Pass::None, 0), 200, "no ticket yet: the whole queue");
        assert_eq!((join_all(&ticket, 0), join_all(&ticket, 1)), (0, 100));
        assert_eq!(join_all(&Pass::None, 2), 0, "a second's worth still waits");
        assert_eq!(join_all(&Pass::None, 3), 51);
        assert_eq!(join_all(&ticket, 3), 149);
        assert_eq!(join_all(&Pass::None, 20), 200, "no ticket for a while");
    }
}
