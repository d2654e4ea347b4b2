//! Rests between commits, so that one commit takes the messages of many callers.
//!
//! A commit costs its transaction and the pages that it writes, with little difference by the number of its
//! messages. Without a rest, the first of many callers would have a commit for itself. A message that comes
//! alone meets no rest, because the rest after the last commit is over.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Rest after a commit of one caller, as a multiple of the processor time that it took: commits take at most a
/// third of one core, and all other work of the posts has the rest.
const SHARE: u32 = 2;
/// The same after a commit of several callers, who share the core with the commits: a longer rest has more of them
/// in the next commit.
const CROWD_SHARE: u32 = 4;
/// Callers of a commit from which they count as several.
const CROWD: usize = 3;
/// Longest rest, which is the longest time that a rest delays a message.
const REST_MAX: Duration = Duration::from_millis(1);

/// Returns the rest after a commit of so many commands that took this processor time. A full commit has none:
/// it cannot become larger, and the next commands are queued already.
pub(crate) fn rest_after(cost: Duration, commands: usize, commands_max: usize) -> Duration {
    if commands >= commands_max {
        return Duration::ZERO;
    }
    let share = if commands < CROWD { SHARE } else { CROWD_SHARE };
    (cost * share).min(REST_MAX)
}

/// Returns the processor time that this thread has taken. Unlike the time of a wall clock, it has no wait for
/// the disk, in which further messages are queued anyway.
pub(crate) fn thread_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_follows_the_cost_of_a_commit_up_to_its_bound() {
        assert_eq!(rest_after(Duration::ZERO, 1, 8), Duration::ZERO);
        assert_eq!(rest_after(Duration::from_micros(150), 1, 8), Duration::from_micros(300));
        assert_eq!(rest_after(Duration::from_micros(150), CROWD, 8), Duration::from_micros(600));
        assert_eq!(rest_after(Duration::from_secs(1), 7, 8), REST_MAX);
    }

    #[test]
    fn full_commit_is_followed_at_once() {
        assert_eq!(rest_after(Duration::from_micros(150), 8, 8), Duration::ZERO);
    }
}
