//! Leases: tokens of a shared limit, taken in a batch and spent here.
//!
//! Pure arithmetic of one key on one instance; who keeps the shared count is not
//! known here. The rules:
//!
//! - A batch is what the instance spends in three quarters of a lease at its recent
//!   rate, at most its share of what the limit earns in one lease: nobody hoards.
//! - Every batch has its own end. What is left then lapses; it is never carried on.
//! - The next batch is asked for ahead of need, when what is left would last less
//!   than a tenth of a lease, and one ask is under way at most. What the rate will
//!   not use up before the end goes back with that ask; a key that falls silent
//!   gives nothing back, its batch lapses.
//! - What was spent without the keeper, while it was away, is a debt: the next ask tells
//!   it, so that coming back wins nobody a second helping.
//! - An answer that was short or a refusal is remembered: until the shared count can
//!   have more, decisions are made here.
//!
//! Why leases do not break a limit: a unit is counted when it is leased and spent at
//! most one lease later. Over a span `t` that would let a bucket's `burst + rate * t`
//! pass by `rate * lease`; so the keeper leases only while that much of the burst,
//! [`LeaseTerms::reserve`], stays untouched. A window counts a lease where it ends.

use std::time::Duration;

use crate::quota::Rule;
use crate::verdict::Verdict;

/// A batch is sized for this part of a lease; the rest is margin for a rate that falls.
const FILL: f64 = 0.75;
/// The next batch is asked for when what is left lasts less than this part of a lease.
const AHEAD: u32 = 10;
/// A bucket's lease earns at most this part of its burst, a window's lasts half of
/// this part of its length: the price of leasing stays small beside the limit.
const PART: u32 = 4;
/// After an answer that fell short, this many decisions are made here before the next ask.
const DECISIONS_PER_ASK: f64 = 64.0;
/// An ask that was not answered for so long never will be.
const ASK_LOST: Duration = Duration::from_secs(1);

barrage_part::part! {
    /// Share of a limit that an instance leases at once.
    pub struct LeaseConfig {
        /// Longest life of a lease, in milliseconds. A longer one saves calls, takes more of a burst
        /// from the other instances, and leaves more with an instance that stops.
        length_ms: u64 = 500, between(0, 60_000);
        /// Largest share of the tokens of one lease time that one instance takes at once. An instance
        /// with nearly all of the load asks twice as often.
        share_max: f64 = 0.5, SHARE;
        /// Smallest lease in tokens. Below, each decision asks Redis, so that small limits stay exact:
        /// with the other defaults, limits below 128 a second.
        batch_min: u32 = 32;
    }
}

/// What a lease of one limit may be; the same on every instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaseTerms {
    length: Duration,
    batch_max: u32,
    reserve: u32,
    limit: u32,
}

impl LeaseTerms {
    /// `None` when the limit is too small to lease.
    #[must_use]
    pub fn of(rule: &Rule, config: &LeaseConfig) -> Option<Self> {
        let longest = Duration::from_millis(config.length_ms);
        let (limit, length, per_s) = match rule {
            Rule::Rate(rate) => {
                let per_s = f64::from(rate.units()) / rate.per().as_secs_f64();
                let part = f64::from(rate.burst() / PART) / per_s;
                (rate.burst(), longest.min(Duration::from_secs_f64(part)), per_s)
            }
            Rule::Window(window) => {
                let per_s = f64::from(window.limit()) / window.length().as_secs_f64();
                (window.limit(), longest.min(window.length() / (2 * PART)), per_s)
            }
        };
        let earned = per_s * length.as_secs_f64();
        let batch_max = (earned * config.share_max.clamp(0.0, 1.0)) as u32;
        let is_worth_it = batch_max >= config.batch_min.max(1);
        is_worth_it.then_some(LeaseTerms { length, batch_max, reserve: earned.ceil() as u32, limit })
    }

    /// Longest life of a batch.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// Units of a bucket's burst that must stay untouched by leases.
    #[must_use]
    pub const fn reserve(&self) -> u32 {
        self.reserve
    }
}

/// What to ask the keeper of the shared count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// All of these or none.
    pub need: u32,
    /// With `need`, as many of these as there are.
    pub want: u32,
    /// Units of an earlier batch that will not be spent.
    pub give_back: u32,
    /// That batch's [`Grant::mark`].
    pub mark: u64,
    /// Units that were spent without the keeper: to be counted now.
    pub debt: u32,
}

/// What the keeper granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// From `need` to `want` units.
    pub units: u32,
    /// Their life, from the moment of the ask.
    pub length: Duration,
    /// Where the keeper counted them; comes back with what is given back.
    pub mark: u64,
}

/// What one decision comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Decided here. With an ask: make it, nobody waits for it.
    Decided(Verdict, Option<Ask>),
    /// Make this ask, then try again.
    Ask(Ask),
    /// An ask is under way: try again when it is answered.
    Wait,
    /// The keeper did not answer a moment ago.
    Away,
}

#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    left: u32,
    ends: Duration,
    mark: u64,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Free,
    Asking {
        since: Duration,
        want: u32,
        debt: u32,
    },
    /// Nothing larger than `fits` is asked for before `until`.
    Dry {
        until: Duration,
        fits: u32,
    },
    Away {
        until: Duration,
    },
}

/// One key's batches on this instance.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    terms: LeaseTerms,
    /// Spent in this order: what ends first goes first.
    batches: [Batch; 2],
    standing: Standing,
    debt: u32,
    demand_per_s: f64,
    /// Decided since `counted_from`.
    demanded: u64,
    counted_from: Duration,
}

impl Lease {
    /// With nothing leased.
    #[must_use]
    pub fn new(terms: LeaseTerms, now: Duration) -> Self {
        let batches = [Batch::default(); 2];
        let standing = Standing::Free;
        Lease { terms, batches, standing, debt: 0, demand_per_s: 0.0, demanded: 0, counted_from: now }
    }

    /// Units that can be spent now.
    #[must_use]
    pub fn left(&self, now: Duration) -> u32 {
        self.batches.iter().filter(|batch| batch.ends > now).map(|batch| batch.left).sum()
    }

    /// Decides about `cost` units, all or none.
    pub fn take(&mut self, cost: u32, now: Duration) -> Step {
        let left = self.left(now);
        if cost > left
            && let Some(step) = self.take_beyond(cost, left, now)
        {
            return step;
        }
        self.demanded += u64::from(cost);
        self.spend(cost, now);
        let ask = self.is_ask_due(now).then(|| self.ask(1, now));
        Step::Decided(Verdict::Admit, ask)
    }

    fn take_beyond(&mut self, cost: u32, left: u32, now: Duration) -> Option<Step> {
        let refuse = |retry_after, remaining| {
            let limit = self.terms.limit;
            Step::Decided(Verdict::Refuse { retry_after, limit, remaining }, None)
        };
        if cost > self.terms.limit {
            return Some(refuse(Duration::MAX, left));
        }
        Some(match self.standing {
            Standing::Asking { since, .. } if now < since + ASK_LOST => Step::Wait,
            Standing::Dry { until, fits } if now < until && cost > fits => {
                let step = refuse(until - now, left.max(fits));
                self.demanded += u64::from(cost);
                step
            }
            Standing::Away { until } if now < until => Step::Away,
            _ => Step::Ask(self.ask(cost, now)),
        })
    }

    fn spend(&mut self, mut cost: u32, now: Duration) {
        for batch in self.batches.iter_mut().filter(|batch| batch.ends > now) {
            let spent = cost.min(batch.left);
            batch.left -= spent;
            cost -= spent;
        }
    }

    /// Whether what lasts is too little; slow keys ask when they need it.
    fn is_ask_due(&self, now: Duration) -> bool {
        let is_free = match self.standing {
            Standing::Free => true,
            Standing::Asking { since, .. } => now >= since + ASK_LOST,
            Standing::Dry { until, .. } | Standing::Away { until } => now >= until,
        };
        let ahead = self.terms.length / AHEAD;
        let needed = (self.demand_per_s * ahead.as_secs_f64()) as u32;
        is_free && self.has_room(now) && self.left(now + ahead) < needed
    }

    fn has_room(&self, now: Duration) -> bool {
        self.batches.iter().any(|batch| batch.left == 0 || batch.ends <= now)
    }

    fn ask(&mut self, need: u32, now: Duration) -> Ask {
        self.measure(now);
        let (give_back, mark) = self.give_back(now);
        let fill = self.demand_per_s * self.terms.length.as_secs_f64() * FILL;
        let want = (fill as u32).saturating_sub(self.left(now)).min(self.terms.batch_max).max(need);
        let debt = std::mem::take(&mut self.debt);
        self.standing = Standing::Asking { since: now, want, debt };
        Ask { need, want, give_back, mark, debt }
    }

    /// Takes out of the older batch what its remaining life is too short for.
    fn give_back(&mut self, now: Duration) -> (u32, u64) {
        let demand_per_s = self.demand_per_s;
        let Some(batch) = self.batches.iter_mut().find(|batch| batch.left > 0 && batch.ends > now) else {
            return (0, 0);
        };
        let usable = demand_per_s * (batch.ends - now).as_secs_f64() / FILL;
        let excess = batch.left.saturating_sub(usable.ceil() as u32);
        batch.left -= excess;
        (excess, batch.mark)
    }

    /// Brings the moving average up to now; it forgets over one lease.
    fn measure(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.counted_from).as_secs_f64();
        if elapsed < 0.001 {
            return;
        }
        let weight = elapsed / (elapsed + self.terms.length.as_secs_f64());
        self.demand_per_s += weight * (self.demanded as f64 / elapsed - self.demand_per_s);
        self.demanded = 0;
        self.counted_from = now;
    }

    /// How long decisions are made here after an answer that fell short.
    fn pause(&self) -> Duration {
        let shortest = self.terms.length / 16;
        let worth_it = Duration::try_from_secs_f64(DECISIONS_PER_ASK / self.demand_per_s);
        worth_it.unwrap_or(Duration::MAX).clamp(shortest, self.terms.length)
    }

    /// The answer to the ask under way; without one, the units lapse. So does a third
    /// batch's predecessor, which a cost larger than both of the others can bring about.
    pub fn granted(&mut self, grant: Grant, now: Duration) {
        let Standing::Asking { since, want, .. } = self.standing else { return };
        self.standing = Standing::Free;
        if grant.units < want {
            self.standing = Standing::Dry { until: since + self.pause(), fits: 0 };
        }
        if self.batches[0].left == 0 || self.batches[0].ends <= now {
            self.batches[0] = std::mem::take(&mut self.batches[1]);
        }
        let ends = since + grant.length;
        let slot = usize::from(self.batches[0].left > 0);
        self.batches[slot] = Batch { left: grant.units, ends, mark: grant.mark };
        if self.batches[1].left > 0 && self.batches[1].ends < self.batches[0].ends {
            self.batches.swap(0, 1);
        }
    }

    /// The answer that the need is not there: not before `retry_after`, and `fits` is.
    pub fn refused(&mut self, retry_after: Duration, fits: u32) {
        let Standing::Asking { since, .. } = self.standing else { return };
        let until = since.saturating_add(retry_after.max(self.pause()));
        self.standing = Standing::Dry { until, fits };
    }

    /// The ask was never made: for a moment no other is.
    pub fn not_asked(&mut self) {
        let Standing::Asking { debt, .. } = self.standing else { return };
        self.spent_elsewhere(debt);
        self.failed();
    }

    /// These were admitted without the keeper. At most a whole limit is remembered.
    pub fn spent_elsewhere(&mut self, units: u32) {
        self.debt = self.debt.saturating_add(units).min(self.terms.limit);
    }

    /// There was no answer: for a moment none is asked for. The keeper may have counted
    /// the debt, so it is not told again.
    pub fn failed(&mut self) {
        let Standing::Asking { since, .. } = self.standing else { return };
        self.standing = Standing::Away { until: since + self.terms.length / 16 };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rate::{Rate, Window};

    const MS: Duration = Duration::from_millis(1);

    fn rule(per_s: u32, burst: u32) -> Rule {
        Rule::Rate(Rate::per_sec(per_s, burst).unwrap())
    }

    fn terms(rule: &Rule) -> LeaseTerms {
        LeaseTerms::of(rule, &LeaseConfig::default()).expect("large enough")
    }

    /// A shared bucket as the keeper's script has it, in units and seconds.
    struct Keeper {
        per_s: f64,
        burst: f64,
        reserve: f64,
        owed: f64,
        at: Duration,
        grants: u64,
    }

    impl Keeper {
        fn new(per_s: u32, burst: u32) -> Self {
            let reserve = f64::from(terms(&rule(per_s, burst)).reserve());
            let (per_s, burst) = (f64::from(per_s), f64::from(burst));
            Keeper { per_s, burst, reserve, owed: 0.0, at: Duration::ZERO, grants: 0 }
        }

        fn answer(&mut self, ask: Ask, length: Duration, now: Duration) -> Option<Grant> {
            let drained = self.per_s * (now - self.at).as_secs_f64() + f64::from(ask.give_back);
            self.at = now;
            self.owed = (self.owed - drained).max(0.0);
            let need = f64::from(ask.need);
            let is_large = need > self.burst - self.reserve;
            let (cap, want) =
                if is_large { (self.burst, ask.need) } else { (self.burst - self.reserve, ask.want) };
            let room = (cap - self.owed).floor();
            if need > room {
                return None;
            }
            let units = want.min(room as u32);
            self.owed += f64::from(units);
            self.grants += 1;
            let length = (2 * length * units / ask.want.max(1)).min(length);
            Some(Grant { units, length, mark: self.grants })
        }
    }

    /// An instance, the batches that it may spend, and answers on their way to it.
    struct Instance {
        lease: Lease,
        held: Vec<(Grant, Duration)>,
        coming: Option<(Duration, Duration, Option<Grant>)>,
    }

    impl Instance {
        fn ask(&mut self, ask: Ask, keeper: &mut Keeper, now: Duration, delay: Duration) {
            for (grant, _) in self.held.iter_mut().filter(|(grant, _)| grant.mark == ask.mark) {
                grant.units -= ask.give_back;
            }
            let grant = keeper.answer(ask, self.lease.terms.length, now);
            self.coming = Some((now + delay, now, grant));
        }

        fn deliver(&mut self, now: Duration) {
            let Some((due, since, grant)) = self.coming else { return };
            if now < due {
                return;
            }
            self.coming = None;
            match grant {
                Some(grant) => {
                    self.lease.granted(grant, now);
                    self.held.push((grant, since + grant.length));
                }
                None => self.lease.refused(MS, 0),
            }
        }

        /// Fails if more is spent than was granted and still lives.
        fn spend(&mut self, mut cost: u32, now: Duration) -> bool {
            self.held.sort_by_key(|(_, ends)| *ends);
            for (grant, _) in self.held.iter_mut().filter(|(_, ends)| *ends > now) {
                let spent = cost.min(grant.units);
                grant.units -= spent;
                cost -= spent;
            }
            cost == 0
        }
    }

    /// The token bucket's law over everything that all instances admitted.
    fn fits(admitted: &[(Duration, u32)], per_s: f64, burst: f64) -> bool {
        (0..admitted.len()).all(|first| {
            let mut sum = 0.0;
            admitted[first..].iter().all(|(at, units)| {
                sum += f64::from(*units);
                sum <= burst + per_s * (*at - admitted[first].0).as_secs_f64() + 1e-6
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn instances_together_keep_the_bucket_s_law(
            per_s in 300_u32..3_000,
            burst_percent in 100_u32..400,
            steps in prop::collection::vec((0_usize..4, 0_u64..40, 1_u32..120, 0_u64..30), 50..400),
        ) {
            let burst = per_s * burst_percent / 100;
            let terms = terms(&rule(per_s, burst));
            let mut keeper = Keeper::new(per_s, burst);
            let new = || Instance { lease: Lease::new(terms, Duration::ZERO), held: Vec::new(), coming: None };
            let mut instances: Vec<_> = (0..4).map(|_| new()).collect();
            let mut admitted = Vec::new();
            let mut now = Duration::ZERO;
            for (who, gap_ms, times, delay_ms) in steps {
                now += MS * u32::try_from(gap_ms).unwrap();
                let instance = &mut instances[who];
                for _ in 0..times {
                    instance.deliver(now);
                    match instance.lease.take(1, now) {
                        Step::Decided(verdict, ask) => {
                            if verdict.is_admit() {
                                prop_assert!(instance.spend(1, now), "spent what it does not have");
                                admitted.push((now, 1));
                            }
                            if let Some(ask) = ask {
                                prop_assert!(instance.coming.is_none(), "two asks at once");
                                instance.ask(ask, &mut keeper, now, Duration::from_millis(delay_ms));
                            }
                        }
                        Step::Ask(ask) => instance.ask(ask, &mut keeper, now, Duration::from_millis(delay_ms)),
                        Step::Wait => break,
                        Step::Away => prop_assert!(false, "nothing failed"),
                    }
                }
            }
            let mut sums: Vec<(Duration, u32)> = Vec::new();
            for (at, units) in admitted {
                match sums.last_mut() {
                    Some((last, sum)) if *last == at => *sum += units,
                    _ => sums.push((at, units)),
                }
            }
            let held = |units: u32| f64::from(units);
            prop_assert!(fits(&sums, held(per_s), held(burst)));
        }
    }

    /// Offers `per_s` evenly for `secs`; answers come after 2 ms.
    fn steady(lease: &mut Lease, keeper: &mut Keeper, per_s: u32, secs: u32) -> (u32, u32, u32) {
        let (mut asks, mut waits, mut admitted) = (0, 0, 0);
        let mut coming: Option<(Duration, Option<Grant>)> = None;
        for n in 0..per_s * secs {
            let now = Duration::from_secs(1) * n / per_s;
            if let Some((due, grant)) = coming
                && due <= now
            {
                coming = None;
                match grant {
                    Some(grant) => lease.granted(grant, now),
                    None => lease.refused(MS, 0),
                }
            }
            let ask = match lease.take(1, now) {
                Step::Decided(verdict, ask) => {
                    admitted += u32::from(verdict.is_admit());
                    ask
                }
                Step::Ask(ask) => Some(ask),
                Step::Wait | Step::Away => None,
            };
            waits += u32::from(matches!(lease.take(0, now), Step::Wait));
            if let Some(ask) = ask {
                asks += 1;
                coming = Some((now + 2 * MS, keeper.answer(ask, lease.terms.length, now)));
            }
        }
        (asks, waits, admitted)
    }

    #[test]
    fn a_steady_rate_asks_seldom_and_wastes_nothing() {
        let rule = rule(10_000, 20_000);
        for per_s in [400, 1_000, 9_000] {
            let mut keeper = Keeper::new(10_000, 20_000);
            let mut lease = Lease::new(terms(&rule), Duration::ZERO);
            let (asks, _, admitted) = steady(&mut lease, &mut keeper, per_s, 10);
            assert!(asks < per_s * 10 / 50, "{asks} asks at {per_s}/s");
            assert!(admitted > per_s * 10 * 99 / 100, "{admitted} admitted at {per_s}/s");
        }
    }

    #[test]
    fn ten_times_the_limit_is_refused_here_and_the_limit_is_used_up() {
        let mut keeper = Keeper::new(1_000, 1_000);
        let mut lease = Lease::new(terms(&rule(1_000, 1_000)), Duration::ZERO);
        let (asks, _, admitted) = steady(&mut lease, &mut keeper, 10_000, 10);
        assert!(asks < 10_000 * 10 / 50, "{asks} asks");
        assert!((10_450..=11_000).contains(&admitted), "{admitted} admitted");
    }

    #[test]
    fn a_batch_ends_and_a_rate_that_falls_gives_back() {
        let mut lease = Lease::new(terms(&rule(1_000, 4_000)), Duration::ZERO);
        let Step::Ask(_) = lease.take(1, Duration::ZERO) else { panic!("nothing is leased") };
        lease.granted(Grant { units: 100, length: 500 * MS, mark: 7 }, Duration::ZERO);
        assert_eq!(lease.left(499 * MS), 100);
        assert_eq!(lease.left(500 * MS), 0);
        let Step::Ask(ask) = lease.take(101, 250 * MS) else { panic!("more than is left") };
        assert_eq!((ask.need, ask.give_back, ask.mark), (101, 100, 7));
        assert_eq!(lease.take(1, 250 * MS), Step::Wait);
        lease.failed();
        assert_eq!(lease.take(1, 251 * MS), Step::Away);
        assert!(matches!(lease.take(1, 1_000 * MS), Step::Ask(_)));
        assert!(matches!(lease.take(1, 2_001 * MS), Step::Ask(_)), "an ask that was lost blocks nothing");
        lease.refused(700 * MS, 3);
        let refuse = Verdict::Refuse { retry_after: 600 * MS, limit: 4_000, remaining: 3 };
        assert_eq!(lease.take(4, 2_101 * MS), Step::Decided(refuse, None));
        assert!(matches!(lease.take(3, 2_101 * MS), Step::Ask(_)), "what fits is asked for");
    }

    #[test]
    fn what_was_spent_without_the_keeper_is_told_once() {
        let mut lease = Lease::new(terms(&rule(1_000, 4_000)), Duration::ZERO);
        let debt = |lease: &mut Lease, at: u32| match lease.take(1, at * MS) {
            Step::Ask(ask) => ask.debt,
            step => panic!("{step:?}"),
        };
        lease.spent_elsewhere(30);
        assert_eq!(debt(&mut lease, 0), 30);
        lease.not_asked();
        lease.spent_elsewhere(5);
        assert_eq!(debt(&mut lease, 100), 35, "it was not told");
        lease.failed();
        assert_eq!(debt(&mut lease, 200), 0, "it may have been told");
        lease.spent_elsewhere(u32::MAX);
        lease.failed();
        assert_eq!(debt(&mut lease, 300), 4_000);
    }

    #[test]
    fn small_limits_are_not_leased_and_small_bursts_shorten_the_lease() {
        let config = LeaseConfig::default();
        assert_eq!(LeaseTerms::of(&rule(10, 30), &config), None);
        assert_eq!(LeaseTerms::of(&rule(10_000, 10), &config), None);
        assert_eq!(terms(&rule(10_000, 10_000)).length(), 250 * MS);
        assert_eq!(terms(&rule(10_000, 10_000)).reserve(), 2_500);
        let window = Rule::Window(Window::new(10_000, Duration::from_secs(2)).unwrap());
        assert_eq!(terms(&window).length(), 250 * MS);
    }
}
