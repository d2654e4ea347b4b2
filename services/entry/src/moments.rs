//! The queue at one gateway: which moment each newcomer gets. Pure: time is passed in.

use std::collections::VecDeque;
use std::time::Duration;

/// Seconds of the past that are remembered, for what the load reports know not yet.
const PAST_SECS: u64 = 4;
/// A moment that nobody took up this long after it fell due is given back: longer than a client
/// takes to join and a gateway to report it.
const LAPSE_SECS: u64 = 5;
/// Share of the moments of a second that may come to nothing without being given back: clients
/// leave while they wait, or win their race at another gateway.
const LOST_SHARE: f64 = 0.25;
/// Moments of so long a time are given back at once at most. So a gateway gets at most twice its
/// rate while entry learns that those who did not come do come now; its own limit refuses the rest.
const SPARE_SECS: f64 = 1.0;

/// How far away a moment may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Up to here it counts as now.
    pub(crate) at_once: Duration,
    /// Beyond here there is none.
    pub(crate) wait_max: Duration,
}

/// Law: each moment lies at least `1 / rate` after the one before it, at the rate of
/// its giving. So at one rate any `t` seconds hold no more than `rate × t + 1` moments; and
/// no more than `rate × (t + at_once) + 1` newcomers, with those that need not wait. Moments that
/// were given back come on top: as many as nobody took up.
///
/// It keeps no queue, only the next free moment and how many were given in each
/// second; the bound on the wait bounds both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moments {
    next: Duration,
    /// Seconds in rising order, and the moments given in each.
    given: VecDeque<(u64, u64)>,
    /// Seconds in rising order whose moments may still be taken up. As long as the longest wait.
    open: VecDeque<Open>,
    /// Moments that were given back since the last report, to be used before the next.
    spare: f64,
}

/// Moments of one second.
#[derive(Debug, Clone, Copy)]
struct Open {
    second: u64,
    given: f64,
    taken_up: f64,
}

impl Moments {
    /// The wait until the next free moment, zero where it is no further away than
    /// `bounds.at_once`; or, where it is longer than the bound, the wait that it would be.
    pub(crate) fn take(&mut self, per_s: f64, now: Duration, bounds: &Bounds) -> Result<Duration, Duration> {
        self.forget(now);
        let moment = self.next.max(now);
        let wait = moment - now;
        if wait > bounds.at_once && self.spare >= 1.0 {
            self.spare -= 1.0;
            self.count(now.as_secs());
            return Ok(Duration::ZERO);
        }
        let gap = Duration::try_from_secs_f64(1.0 / per_s).ok();
        let next = gap.and_then(|gap| moment.checked_add(gap));
        let Some(next) = next.filter(|_| wait <= bounds.wait_max) else { return Err(wait) };
        self.next = next;
        let wait = if wait <= bounds.at_once { Duration::ZERO } else { wait };
        self.count((now + wait).as_secs());
        Ok(wait)
    }

    /// The wait until the next free moment.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        if self.spare >= 1.0 { Duration::ZERO } else { self.next.saturating_sub(now) }
    }

    /// Matches joins that the gateway newly reported to the oldest moments that are due, and gives
    /// back those that nobody took up: the next newcomers come at once in their place. `joined` is
    /// `None` while the gateway's reports are old: then it is unknown who joined, and nothing is
    /// given back.
    pub(crate) fn settle(&mut self, joined: Option<f64>, per_s: f64, now: Duration) {
        let now = now.as_secs();
        self.spare = 0.0;
        let Some(mut joined) = joined else { return self.open.retain(|open| open.second > now) };
        for open in self.open.iter_mut().take_while(|open| open.second <= now) {
            let met = joined.min(open.given - open.taken_up);
            open.taken_up += met;
            joined -= met;
        }
        let mut lapsed = 0.0;
        while let Some(open) = self.open.front().filter(|open| open.second + LAPSE_SECS < now) {
            lapsed += ((1.0 - LOST_SHARE) * open.given - open.taken_up).max(0.0);
            self.open.pop_front();
        }
        if per_s.is_finite() {
            self.spare = lapsed.min(per_s * SPARE_SECS);
        }
    }

    /// Under the second in which the newcomer comes.
    fn count(&mut self, second: u64) {
        let at = self.given.partition_point(|(earlier, _)| *earlier < second);
        match self.given.get_mut(at) {
            Some((known, count)) if *known == second => *count += 1,
            _ => self.given.insert(at, (second, 1)),
        }
        let at = self.open.partition_point(|open| open.second < second);
        match self.open.get_mut(at) {
            Some(open) if open.second == second => open.given += 1.0,
            _ => self.open.insert(at, Open { second, given: 1.0, taken_up: 0.0 }),
        }
    }

    /// Moments a second that fell due lately: the greatest count of the last full
    /// seconds, so that a lagging report is not taken for other people's joins.
    pub(crate) fn due_per_s(&self, now: Duration) -> f64 {
        let now = now.as_secs();
        let past = self.given.iter().filter(|(second, _)| *second < now && *second + PAST_SECS > now);
        past.map(|(_, count)| *count).max().unwrap_or(0) as f64
    }

    /// Moments after this second.
    pub(crate) fn to_come(&self, now: Duration) -> u64 {
        let later = self.given.iter().filter(|(second, _)| *second > now.as_secs());
        later.map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: Duration) {
        while self.given.front().is_some_and(|(second, _)| *second + PAST_SECS < now.as_secs()) {
            self.given.pop_front();
        }
        // Where no report settles them.
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
    fn a_crowd_is_spread_at_the_rate_and_the_queue_has_an_end() {
        let mut moments = Moments::default();
        let now = Duration::from_secs(7);
        let waits: Vec<_> = std::iter::from_fn(|| moments.take(10.0, now, &MINUTE).ok()).collect();
        assert_eq!(waits.len(), 601, "a minute's worth, and the one at once");
        assert_eq!((waits[0], waits[1]), (Duration::ZERO, Duration::from_millis(100)));
        let refused = moments.take(10.0, now, &MINUTE).unwrap_err();
        assert!(refused > LONGEST && refused < LONGEST + Duration::from_millis(200));
        assert_eq!((moments.to_come(now), moments.wait(now)), (591, Duration::from_millis(60_100)));
        // What the refused asked for was not taken: as time goes by there is room.
        assert!(moments.take(10.0, now + Duration::from_millis(200), &MINUTE).is_ok());
    }

    #[test]
    fn a_moment_that_is_near_is_now() {
        let bounds = Bounds { at_once: Duration::from_millis(500), ..MINUTE };
        let (mut moments, now) = (Moments::default(), Duration::from_millis(9_900));
        let waits: Vec<_> = (0..9).map(|_| moments.take(10.0, now, &bounds).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 600, 700, 800]);
        assert_eq!(moments.given, [(9, 6), (10, 3)]);
    }

    #[test]
    fn what_fell_due_is_told_from_what_is_to_come() {
        let mut moments = Moments::default();
        for _ in 0..100 {
            moments.take(20.0, Duration::from_secs(10), &MINUTE).unwrap();
        }
        let at = Duration::from_secs(12);
        assert!((moments.due_per_s(at) - 20.0).abs() < 1.5, "{}", moments.due_per_s(at));
        let at = Duration::from_secs(20);
        assert_eq!((moments.due_per_s(at) as u64, moments.to_come(at)), (0, 0));
        moments.take(20.0, at, &MINUTE).unwrap();
        assert_eq!(moments.given.len(), 1, "the past is forgotten");
    }

    /// 20 a second, of which `joining` join a second later; the waits of newcomers at the end.
    fn settled(joining: f64, secs: u64) -> (Moments, Duration) {
        let mut moments = Moments::default();
        for second in 0..secs {
            let now = Duration::from_secs(second);
            for _ in 0..40 {
                moments.take(20.0, now, &MINUTE).ok();
            }
            moments.settle(Some(if second == 0 { 0.0 } else { joining }), 20.0, now);
        }
        (moments, Duration::from_secs(secs))
    }

    #[test]
    fn a_moment_that_nobody_takes_up_is_given_back() {
        let (mut moments, now) = settled(0.0, 20);
        assert_eq!(moments.wait(now), Duration::ZERO);
        let waits: Vec<_> = std::iter::from_fn(|| moments.take(20.0, now, &MINUTE).ok()).collect();
        let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
        assert!((15..=20).contains(&at_once), "a second's worth, less those who may leave: {at_once}");
        assert!(waits.iter().all(|wait| wait.is_zero() || *wait > Duration::from_secs(5)));
        // They are not saved up: with the next report they are gone.
        let (mut moments, now) = settled(0.0, 20);
        moments.settle(Some(0.0), 20.0, now);
        moments.settle(Some(0.0), 20.0, now);
        assert!(moments.wait(now) > Duration::from_secs(5));
    }

    #[test]
    fn nothing_is_given_back_when_clients_join_or_reports_are_old() {
        for joining in [20.0, 16.0] {
            let (moments, now) = settled(joining, 20);
            assert!(moments.wait(now) > Duration::from_secs(15), "{joining} join");
        }
        let (mut moments, now) = settled(20.0, 20);
        for second in 0..10 {
            moments.settle(None, 20.0, now + Duration::from_secs(second));
        }
        moments.settle(Some(0.0), 20.0, now + Duration::from_secs(10));
        assert!(moments.wait(now + Duration::from_secs(10)) > Duration::ZERO);
        assert!(moments.open.len() <= 61, "the book is as long as the longest wait");
    }

    #[test]
    fn no_rate_is_no_moment() {
        let mut moments = Moments::default();
        assert!(moments.take(0.0, Duration::ZERO, &MINUTE).is_err());
        assert!(moments.take(f64::NAN, Duration::ZERO, &MINUTE).is_err());
        assert!(moments.take(1.0, Duration::ZERO, &MINUTE).is_ok());
    }

    proptest! {
        /// Against every pair of moments, whatever comes when.
        #[test]
        fn never_more_than_the_rate_in_any_time(
            per_s in 1.0_f64..5_000.0,
            gaps_ms in prop::collection::vec(prop_oneof![4 => Just(0_u64), 1 => 0_u64..3_000], 1..200),
            wait_max_ms in 0_u64..5_000,
        ) {
            let wait_max = Duration::from_millis(wait_max_ms);
            let bounds = Bounds { wait_max, ..MINUTE };
            let (mut moments, mut now, mut given) = (Moments::default(), Duration::ZERO, Vec::new());
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                match moments.take(per_s, now, &bounds) {
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

        /// The rate falls and rises; turns that were given stay given.
        #[test]
        fn a_changed_rate_spaces_what_comes_after(rates in prop::collection::vec(1.0_f64..1_000.0, 2..100)) {
            let mut moments = Moments::default();
            let forever = Bounds { wait_max: Duration::MAX, ..MINUTE };
            let waits: Vec<_> =
                rates.iter().map(|rate| moments.take(*rate, LONGEST, &forever).unwrap().as_secs_f64()).collect();
            for (pair, rate) in waits.windows(2).zip(&rates) {
                prop_assert!((pair[1] - pair[0] - 1.0 / rate).abs() < 1e-6);
            }
        }
    }
}
