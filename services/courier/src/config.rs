//! Settings of the courier.

use std::time::Duration;

use barrage_backoff::Backoff;

barrage_part::part! {
    /// The courier, which takes events of the lanes into the inbox.
    @[derive(Eq)]
    pub struct CourierConfig {
        /// Maximum events per transaction. One disk sync covers many events after a delay.
        batch_events_max: usize = 500, between(1, 1_000);
        /// Interval between two looks at a silent lane, in milliseconds. Matters only for an engine that
        /// loses a wake-up.
        poll_interval_ms: u64 = 1_000, between(1, 600_000);
        /// Wait after the first failure of lane or database, in milliseconds. The wait doubles with each
        /// further failure.
        backoff_initial_ms: u64 = 50, between(1, 600_000);
        /// Longest wait after a failure, in milliseconds. Letters are at most this late when the database
        /// comes back.
        backoff_max_ms: u64 = 2_000, between(1, 3_600_000);
        /// Time for which a lane keeps events that the inbox has taken, in seconds: a restored backup of
        /// the database is at most this old.
        keep_secs: u64 = 3_600, between(0, 30 * 86_400);
        /// Interval between two removals of old events from a lane, in seconds.
        forget_interval_secs: u64 = 10, between(1, 86_400);
        /// Days for which items of direct conversations are kept. What was not read by then counts as read.
        direct_days: u64 = 365, between(1, 36_500);
        /// Days for which items of groups are kept.
        group_days: u64 = 90, between(1, 36_500);
        /// Days for which reports are kept with their evidence.
        report_days: u64 = 180, between(1, 36_500);
        /// Interval between two looks for old items, in seconds. One look examines 200 conversations.
        trim_interval_secs: u64 = 10, between(1, 86_400);
        /// Longest wait of a shutdown for events that the lanes still hold, in milliseconds. The next
        /// start takes the rest.
        drain_timeout_ms: u64 = 5_000, between(0, 3_600_000);
        /// Maximum number of attached users that the courier knows, some 64 bytes each. Further ones get no
        /// mail, and learn of changes by asking.
        attached_users_max: usize = 2_000_000, between(1, 100_000_000);
        /// Maximum number of members of groups that the courier keeps, some 20 bytes each. The members of a
        /// group that it has forgotten are read again with its next item.
        group_members_cached_max: usize = 1_000_000, between(10_000, 100_000_000);
    }
}

impl CourierConfig {
    pub(crate) fn backoff(&self) -> Backoff {
        let [initial, max] = [self.backoff_initial_ms, self.backoff_max_ms].map(Duration::from_millis);
        Backoff::new(initial, max)
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}
