use std::cell::Cell;
use std::time::Duration;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use tokio::time::Instant;

use crate::admission::token_expired;
use crate::config::GatewayConfig;

/// Moments of one viewer that the shard checks once a second.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// Moment since which something has been queued without a break.
    pub(super) behind_since: Cell<Option<Instant>>,
    /// Moment of the last bytes from the client.
    pub(crate) heard_at: Cell<Instant>,
    /// Moment at which the viewer is closed; set when it was sent to another gateway.
    pub(crate) leave_by: Cell<Option<Instant>>,
    /// Moment at which the viewer joined with a position: from another gateway, or after a break.
    pub(crate) resumed_at: Cell<Option<Instant>>,
    /// Unix seconds at which the token ends.
    pub(crate) expires_at_secs: Cell<u64>,
}

impl Deadlines {
    pub(super) fn new(now: Instant) -> Self {
        Deadlines {
            behind_since: Cell::default(),
            heard_at: Cell::new(now),
            leave_by: Cell::default(),
            resumed_at: Cell::default(),
            expires_at_secs: Cell::new(u64::MAX),
        }
    }

    /// Adds a time for which the shard did not run. It counts neither as silence nor as slow
    /// reading, because the viewer's frames were not read meanwhile.
    pub(super) fn forgive(&self, paused: Duration, now: Instant) {
        self.heard_at.set((self.heard_at.get() + paused).min(now));
        self.behind_since.set(self.behind_since.get().map(|at| (at + paused).min(now)));
    }

    /// Returns the refusal that closes the viewer, when one of the moments has passed.
    pub(super) fn overdue(
        &self,
        now: Instant,
        unix_secs: u64,
        silence_max: Duration,
        config: &GatewayConfig,
    ) -> Option<Refusal> {
        let behind_max = Duration::from_secs(config.behind_secs_max);
        if now.duration_since(self.heard_at.get()) > silence_max {
            Some(Refusal::new(Code::Idle, "no heartbeat arrived in time; reconnect and resume"))
        } else if self.behind_since.get().is_some_and(|at| now.duration_since(at) >= behind_max) {
            Some(slow_viewer())
        } else if self.leave_by.get().is_some_and(|at| now >= at) {
            Some(Refusal::new(Code::Draining, "you were sent to another gateway; ask entry which one"))
        } else {
            (unix_secs > self.expires_at_secs.get()).then(token_expired)
        }
    }
}

/// Refusal of a viewer that reads too slowly.
pub(super) fn slow_viewer() -> Refusal {
    Refusal::new(Code::SlowViewer, "you read too slowly; reconnect and resume")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_slow_reading_a_move_and_an_old_token_close() {
        let config = GatewayConfig::default();
        let start = Instant::now();
        let deadlines = Deadlines::new(start);
        let silence_max = SECOND * 35;
        let code = |now, unix_secs| {
            deadlines.overdue(now, unix_secs, silence_max, &config).map(|refusal| refusal.code)
        };
        deadlines.expires_at_secs.set(1_000);
        assert_eq!(code(start + SECOND * 35, 1_000), None);
        assert_eq!(code(start, 1_001), Some(Code::TokenExpired));
        deadlines.leave_by.set(Some(start + SECOND * 3));
        assert_eq!(code(start + SECOND * 3, 0), Some(Code::Draining));
        deadlines.behind_since.set(Some(start));
        assert_eq!(code(start + SECOND * 15, 0), Some(Code::SlowViewer));
        assert_eq!(code(start + SECOND * 36, 0), Some(Code::Idle), "25 s and 10 s of margin");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_shard_is_neither_silence_nor_slow_reading() {
        let config = GatewayConfig::default();
        let start = Instant::now();
        let deadlines = Deadlines::new(start);
        deadlines.behind_since.set(Some(start));
        let later = start + SECOND * 60;
        deadlines.forgive(SECOND * 59, later);
        assert!(deadlines.overdue(later, 0, SECOND * 35, &config).is_none());
        assert!(deadlines.overdue(later + SECOND * 14, 0, SECOND * 35, &config).is_some());
    }
}
