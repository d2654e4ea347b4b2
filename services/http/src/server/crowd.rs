use std::time::Duration;

/// Time in which connections are counted.
const WINDOW: Duration = Duration::from_millis(50);
/// Connections in one window that are a crowd: 500 a second.
const CROWD_MIN: usize = 25;

/// Sees a crowd that arrives, by the connections of the last windows of time; pure.
///
/// To wake for each connection of a crowd costs more than the connection. The accept loop then sleeps
/// a moment between two handfuls. The connections of one page stay below a crowd.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    started: Duration,
    connections: usize,
    before: usize,
}

impl Crowd {
    /// Counts connections at a time since any start; returns whether a crowd arrives.
    pub(super) fn count(&mut self, connections: usize, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.started);
        if elapsed >= WINDOW {
            self.before = if elapsed < 2 * WINDOW { self.connections } else { 0 };
            (self.started, self.connections) = (now, 0);
        }
        self.connections += connections;
        self.before >= CROWD_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(connections_per_ms: usize, ms: u64) -> bool {
        let mut crowd = Crowd::default();
        (0..ms).fold(false, |_, ms| crowd.count(connections_per_ms, Duration::from_millis(1_000 + ms)))
    }

    #[test]
    fn connections_that_go_on_arriving_are_a_crowd() {
        assert!(after(1, 120));
        assert!(!after(1, 40), "not before the first window has ended");
    }

    #[test]
    fn connections_of_single_pages_are_no_crowd() {
        let mut crowd = Crowd::default();
        for second in 0..5 {
            assert!(!crowd.count(24, Duration::from_secs(second)));
            assert!(!crowd.count(0, Duration::from_millis(second * 1_000 + 60)));
        }
    }

    #[test]
    fn a_crowd_ends() {
        let mut crowd = Crowd::default();
        let mut at = |connections, ms| crowd.count(connections, Duration::from_millis(ms));
        assert!(!at(100, 1_000));
        assert!(at(0, 1_060));
        assert!(!at(1, 1_120), "nobody came in the window before");
    }
}
