use crate::atomics::{AtomicUsize, Ordering};

/// Number of parts of one task that are not done yet. The last one that ends wakes the waiting thread.
#[derive(Debug)]
pub struct InFlight(AtomicUsize);

/// What remains after a part has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// Other parts are under way.
    Others,
    /// All parts have ended: wake who waits for that.
    All,
}

impl InFlight {
    /// Creates a task without a part.
    #[must_use]
    pub fn none() -> Self {
        InFlight(AtomicUsize::new(0))
    }

    /// Adds a part, before another thread may end one.
    pub fn start(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends a part. What it stored before is seen by who then finds no part in flight.
    pub fn end(&self) -> Ended {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 { Ended::All } else { Ended::Others }
    }

    /// Returns whether a part is under way.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn last_part_is_told_that_all_have_ended() {
        let parts = InFlight::none();
        parts.start();
        parts.start();
        assert_eq!(
            (parts.end(), parts.any(), parts.end(), parts.any()),
            (Ended::Others, true, Ended::All, false)
        );
    }
}
