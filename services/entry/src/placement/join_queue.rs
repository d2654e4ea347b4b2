//! The join queue of one gateway: the slot in time of each newcomer. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

/// Seconds of the past that are remembered, for joins that load reports do not show yet.
const PAST_SECS: u64 = 4;
/// Seconds after which an unused slot is given back: longer than a client takes to join and a
/// gateway to report the join.
const LAPSE_SECS: u64 = 5;
/// Share of a second's slots that may stay unused without being given back: clients leave while
/// they wait, or win their race at another gateway.
const LOST_SHARE: f64 = 0.25;
/// Seconds of slots that are given back at once, at most. A gateway then gets at most twice its rate
/// when late clients join after all; its own limit refuses the others.
const SPARE_SECS: f64 = 1.0;

/// How far in the future a slot may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// A slot up to this far in the future counts as now.
    pub(crate) at_once: Duration,
    /// There is no slot beyond this wait.
    pub(crate) wait_max: Duration,
}

/// Gives out slots.
///
/// Law: each slot lies at least `1 / rate` after the one before it, at the rate of its giving. At
/// one rate any `t` seconds hold at most `rate × t + 1` slots, and at most
/// `rate × (t + at_once) + 1` newcomers, with those that need not wait. Slots that were given back
/// come on top: as many as were unused.
///
/// The queue stores only the next free slot and the number of slots of each second; the bound on the
/// wait bounds both.
#[derive(Debug, Clone, Default)]
pub(crate) struct JoinQueue {
    next: Duration,
    /// Seconds in rising order, and the slots given in each.
    given: VecDeque<(u64, u64)>,
    /// Seconds in rising order whose slots may still be used: as many as the longest wait has.
    open: VecDeque<Open>,
    /// Slots given back at the last report, to be used before the next.
    spare: f64,
}

/// The slots of one second, given and used.
#[derive(Debug, Clone, Copy)]
struct Open {
    second: u64,
    given: f64,
    used: f64,
}

impl JoinQueue {
    /// Takes the next free slot. Returns the wait until it, zero up to `bounds.at_once`.
    ///
    /// # Errors
    /// The wait until the slot, when it is longer than `bounds.wait_max`; no slot is taken.
    pub(crate) fn take(&mut self, per_s: f64, now: Duration, bounds: &Bounds) -> Result<Duration, Duration> {
        self.forget(now);
        let slot = self.next.max(now);
        let wait = slot - now;
        if wait > bounds.at_once && self.spare >= 1.0 {
            self.spare -= 1.0;
            self.count(now.as_secs());
            return Ok(Duration::ZERO);
        }
        let gap = Duration::try_from_secs_f64(1.0 / per_s).ok();
        let next = gap.and_then(|gap| slot.checked_add(gap));
        let Some(next) = next.filter(|_| wait <= bounds.wait_max) else { return Err(wait) };
        self.next = next;
        let wait = if wait <= bounds.at_once { Duration::ZERO } else { wait };
        self.count((now + wait).as_secs());
        Ok(wait)
    }

    /// Returns the wait until the next free slot.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        if self.spare >= 1.0 { Duration::ZERO } else { self.next.saturating_sub(now) }
    }

    /// Matches newly reported joins to the oldest slots that are due, and gives back the unused ones:
    /// the next newcomers connect at once in their place. `joined` is `None` while the gateway's
    /// reports are old: then the joins are unknown, and no slot is given back.
    pub(crate) fn settle(&mut self, joined: Option<f64>, per_s: f64, now: Duration) {
        let now = now.as_secs();
        self.spare = 0.0;
        let Some(mut joined) = joined else { return self.open.retain(|open| open.second > now) };
        for open in self.open.iter_mut().take_while(|open| open.second <= now) {
            let met = joined.min(open.given - open.used);
            open.used += met;
            joined -= met;
        }
        let mut lapsed = 0.0;
        while let Some(open) = self.open.front().filter(|open| open.second + LAPSE_SECS < now) {
            lapsed += ((1.0 - LOST_SHARE) * open.given - open.used).max(0.0);
            self.open.pop_front();
        }
        if per_s.is_finite() {
            self.spare = lapsed.min(per_s * SPARE_SECS);
        }
    }

    /// Counts a slot in the second in which the newcomer connects.
    fn count(&mut self, second: u64) {
        let at = self.given.partition_point(|(earlier, _)| *earlier < second);
        match self.given.get_mut(at) {
            Some((known, count)) if *known == second => *count += 1,
            _ => self.given.insert(at, (second, 1)),
        }
        let at = self.open.partition_point(|open| open.second < second);
        match self.open.get_mut(at) {
            Some(open) if open.second == second => open.given += 1.0,
            _ => self.open.insert(at, Open { second, given: 1.0, used: 0.0 }),
        }
    }

    /// Returns the slots a second that were due lately: the greatest count of the last full seconds,
    /// so that a lagging report is not taken for joins of clients that did not ask entry.
    pub(crate) fn due_per_s(&self, now: Duration) -> f64 {
        let now = now.as_secs();
        let past = self.given.iter().filter(|(second, _)| *second < now && *second + PAST_SECS > now);
        past.map(|(_, count)| *count).max().unwrap_or(0) as f64
    }

    /// Returns the number of slots after this second.
    pub(crate) fn queued(&self, now: Duration) -> u64 {
        let later = self.given.iter().filter(|(second, _)| *second > now.as_secs());
        later.map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: Duration) {
        while self.given.front().is_some_and(|(second, _)| *second + PAST_SECS < now.as_secs()) {
            self.given.pop_front();
        }
        // Slots of a gateway whose reports do not settle them.
        while self.open.front().is_some_and(|open| open.second + 4 * LAPSE_SECS < now.as_secs()) {
            self.open.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Duration = Duration::from_secs(60);
    const MINUTE: Bounds = Bounds { at_once: Duration::ZERO, wait_max: LONGEST };

    #[test]
    fn newcomers_are_spread_at_the_rate_and_the_queue_is_bounded() {
        let mut queue = JoinQueue::default();
        let now = Duration::from_secs(7);
        let waits: Vec<_> = std::iter::from_fn(|| queue.take(10.0, now, &MINUTE).ok()).collect();
        assert_eq!(waits.len(), 601, "the slots of a minute, and the first at once");
        assert_eq!((waits[0], waits[1]), (Duration::ZERO, Duration::from_millis(100)));
        let refused = queue.take(10.0, now, &MINUTE).unwrap_err();
        assert!(refused > LONGEST && refused < LONGEST + Duration::from_millis(200));
        assert_eq!((queue.queued(now), queue.wait(now)), (591, Duration::from_millis(60_100)));
        // A refused newcomer takes no slot: later there is one.
        assert!(queue.take(10.0, now + Duration::from_millis(200), &MINUTE).is_ok());
    }

    #[test]
    fn near_slot_counts_as_now() {
        let bounds = Bounds { at_once: Duration::from_millis(500), ..MINUTE };
        let (mut queue, now) = (JoinQueue::default(), Duration::from_millis(9_900));
        let waits: Vec<_> = (0..9).map(|_| queue.take(10.0, now, &bounds).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 600, 700, 800]);
        assert_eq!(queue.given, [(9, 6), (10, 3)]);
    }

    #[test]
    fn due_slots_are_counted_apart_from_queued_ones() {
        let mut queue = JoinQueue::default();
        for _ in 0..100 {
            queue.take(20.0, Duration::from_secs(10), &MINUTE).unwrap();
        }
        let at = Duration::from_secs(12);
        assert!((queue.due_per_s(at) - 20.0).abs() < 1.5, "{}", queue.due_per_s(at));
        let at = Duration::from_secs(20);
        assert_eq!((queue.due_per_s(at) as u64, queue.queued(at)), (0, 0));
        queue.take(20.0, at, &MINUTE).unwrap();
        assert_eq!(queue.given.len(), 1, "past seconds are removed");
    }

    /// Gives out 20 slots a second, of which `joining` are used a second later.
    fn settled(joining: f64, secs: u64) -> (JoinQueue, Duration) {
        let mut queue = JoinQueue::default();
        for second in 0..secs {
            let now = Duration::from_secs(second);
            for _ in 0..40 {
                queue.take(20.0, now, &MINUTE).ok();
            }
            queue.settle(Some(if second == 0 { 0.0 } else { joining }), 20.0, now);
        }
        (queue, Duration::from_secs(secs))
    }

    #[test]
    fn unused_slot_is_given_back() {
        let (mut queue, now) = settled(0.0, 20);
        assert_eq!(queue.wait(now), Duration::ZERO);
        let waits: Vec<_> = std::iter::from_fn(|| queue.take(20.0, now, &MINUTE).ok()).collect();
        let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
        assert!(
            (15..=20).contains(&at_once),
            "the slots of a second, less those of clients that may leave: {at_once}"
        );
        assert!(waits.iter().all(|wait| wait.is_zero() || *wait > Duration::from_secs(5)));
        // Slots are not saved up: the next report removes them.
        let (mut queue, now) = settled(0.0, 20);
        queue.settle(Some(0.0), 20.0, now);
        queue.settle(Some(0.0), 20.0, now);
        assert!(queue.wait(now) > Duration::from_secs(5));
    }

    #[test]
    fn no_slot_is_given_back_when_clients_join_or_reports_are_old() {
        for joining in [20.0, 16.0] {
            let (queue, now) = settled(joining, 20);
            assert!(queue.wait(now) > Duration::from_secs(15), "{joining} join");
        }
        let (mut queue, now) = settled(20.0, 20);
        for second in 0..10 {
            queue.settle(None, 20.0, now + Duration::from_secs(second));
        }
        queue.settle(Some(0.0), 20.0, now + Duration::from_secs(10));
        assert!(queue.wait(now + Duration::from_secs(10)) > Duration::ZERO);
        assert!(queue.open.len() <= 61, "there are as many seconds as the longest wait has");
    }

    #[test]
    fn rate_of_zero_gives_no_slot() {
        let mut queue = JoinQueue::default();
        assert!(queue.take(0.0, Duration::ZERO, &MINUTE).is_err());
        assert!(queue.take(f64::NAN, Duration::ZERO, &MINUTE).is_err());
        assert!(queue.take(1.0, Duration::ZERO, &MINUTE).is_ok());
    }

    proptest! {
        /// Checks every pair of slots, for arrivals at any time.
        #[test]
        fn never_more_than_the_rate_in_any_time(
            per_s in 1.0_f64..5_000.0,
            gaps_ms in prop::collection::vec(prop_oneof![4 => Just(0_u64), 1 => 0_u64..3_000], 1..200),
            wait_max_ms in 0_u64..5_000,
        ) {
            let wait_max = Duration::from_millis(wait_max_ms);
            let bounds = Bounds { wait_max, ..MINUTE };
            let (mut queue, mut now, mut given) = (JoinQueue::default(), Duration::ZERO, Vec::new());
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                match queue.take(per_s, now, &bounds) {
                    Ok(wait) => {
                        prop_assert!(wait <= wait_max);
                        given.push((now + wait).as_secs_f64());
                    }
                    Err(wait) => prop_assert!(wait > wait_max),
                }
            }
            for (i, from) in given.iter().enumerate() {
                for (j, to) in given.iter().enumerate().skip(i) {
                    let allowed = per_s * (to - from) + 1.0;
                    prop_assert!((j - i + 1) as f64 <= allowed + 0.001 * (j - i + 1) as f64);
                }
            }
        }

        /// When the rate changes, slots that were given stay given.
        #[test]
        fn changed_rate_spaces_the_following_slots(rates in prop::collection::vec(1.0_f64..1_000.0, 2..100)) {
            let mut queue = JoinQueue::default();
            let forever = Bounds { wait_max: Duration::MAX, ..MINUTE };
            let waits: Vec<_> =
                rates.iter().map(|rate| queue.take(*rate, LONGEST, &forever).unwrap().as_secs_f64()).collect();
            for (pair, rate) in waits.windows(2).zip(&rates) {
                prop_assert!((pair[1] - pair[0] - 1.0 / rate).abs() < 1e-6);
            }
        }
    }
}
