//! Leases against a model of the store.

use proptest::prelude::*;

use super::*;
use crate::rule::{Rate, Rule, Window};

const MS: Duration = Duration::from_millis(1);

fn rule(per_s: u32, burst: u32) -> Rule {
    Rule::Rate(Rate::per_sec(per_s, burst).unwrap())
}

fn terms(rule: &Rule) -> LeaseTerms {
    LeaseTerms::of(rule, &LeaseConfig::default()).expect("large enough")
}

/// A shared bucket as the script of the store computes it, in units and seconds.
struct Store {
    per_s: f64,
    burst: f64,
    reserve: f64,
    owed: f64,
    at: Duration,
    grants: u64,
}

impl Store {
    fn new(per_s: u32, burst: u32) -> Self {
        let reserve = f64::from(terms(&rule(per_s, burst)).reserve());
        let (per_s, burst) = (f64::from(per_s), f64::from(burst));
        Store { per_s, burst, reserve, owed: 0.0, at: Duration::ZERO, grants: 0 }
    }

    fn answer(&mut self, request: LeaseRequest, length: Duration, now: Duration) -> Option<LeaseGrant> {
        let drained = self.per_s * (now - self.at).as_secs_f64() + f64::from(request.give_back);
        self.at = now;
        self.owed = (self.owed - drained).max(0.0);
        let need = f64::from(request.need);
        let is_large = need > self.burst - self.reserve;
        let (cap, want) =
            if is_large { (self.burst, request.need) } else { (self.burst - self.reserve, request.want) };
        let room = (cap - self.owed).floor();
        if need > room {
            return None;
        }
        let units = want.min(room as u32);
        self.owed += f64::from(units);
        self.grants += 1;
        let length = (2 * length * units / request.want.max(1)).min(length);
        Some(LeaseGrant { units, length, mark: self.grants })
    }
}

/// An instance, the batches that it may spend, and the answer that is in flight to it.
struct Instance {
    lease: Lease,
    held: Vec<(LeaseGrant, Duration)>,
    in_flight: Option<(Duration, Duration, Option<LeaseGrant>)>,
}

impl Instance {
    fn request(&mut self, request: LeaseRequest, store: &mut Store, now: Duration, delay: Duration) {
        for (grant, _) in self.held.iter_mut().filter(|(grant, _)| grant.mark == request.mark) {
            grant.units -= request.give_back;
        }
        let grant = store.answer(request, self.lease.terms.length, now);
        self.in_flight = Some((now + delay, now, grant));
    }

    fn deliver(&mut self, now: Duration) {
        let Some((due, since, grant)) = self.in_flight else { return };
        if now < due {
            return;
        }
        self.in_flight = None;
        match grant {
            Some(grant) => {
                self.lease.granted(grant, now);
                self.held.push((grant, since + grant.length));
            }
            None => self.lease.refused(MS, 0),
        }
    }

    /// Returns false if more is spent than was granted and is still alive.
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

/// Returns whether all instances together kept the token bucket's law.
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
    fn instances_together_keep_the_law_of_the_bucket(
        per_s in 300_u32..3_000,
        burst_percent in 100_u32..400,
        steps in prop::collection::vec((0_usize..4, 0_u64..40, 1_u32..120, 0_u64..30), 50..400),
    ) {
        let burst = per_s * burst_percent / 100;
        let terms = terms(&rule(per_s, burst));
        let mut store = Store::new(per_s, burst);
        let new = || Instance { lease: Lease::new(terms, Duration::ZERO), held: Vec::new(), in_flight: None };
        let mut instances: Vec<_> = (0..4).map(|_| new()).collect();
        let mut admitted = Vec::new();
        let mut now = Duration::ZERO;
        for (index, gap_ms, times, delay_ms) in steps {
            now += MS * u32::try_from(gap_ms).unwrap();
            let instance = &mut instances[index];
            for _ in 0..times {
                instance.deliver(now);
                match instance.lease.take(1, now) {
                    Step::Decided(verdict, request) => {
                        if verdict.is_admit() {
                            prop_assert!(instance.spend(1, now), "an instance spent more than it was granted");
                            admitted.push((now, 1));
                        }
                        if let Some(request) = request {
                            prop_assert!(instance.in_flight.is_none(), "two requests of one lease are in flight");
                            instance.request(request, &mut store, now, Duration::from_millis(delay_ms));
                        }
                    }
                    Step::Request(request) => instance.request(request, &mut store, now, Duration::from_millis(delay_ms)),
                    Step::Wait => break,
                    Step::Unavailable => prop_assert!(false, "nothing failed"),
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
fn steady(lease: &mut Lease, store: &mut Store, per_s: u32, secs: u32) -> (u32, u32, u32) {
    let (mut requests, mut waits, mut admitted) = (0, 0, 0);
    let mut in_flight: Option<(Duration, Option<LeaseGrant>)> = None;
    for n in 0..per_s * secs {
        let now = Duration::from_secs(1) * n / per_s;
        if let Some((due, grant)) = in_flight
            && due <= now
        {
            in_flight = None;
            match grant {
                Some(grant) => lease.granted(grant, now),
                None => lease.refused(MS, 0),
            }
        }
        let request = match lease.take(1, now) {
            Step::Decided(verdict, request) => {
                admitted += u32::from(verdict.is_admit());
                request
            }
            Step::Request(request) => Some(request),
            Step::Wait | Step::Unavailable => None,
        };
        waits += u32::from(matches!(lease.take(0, now), Step::Wait));
        if let Some(request) = request {
            requests += 1;
            in_flight = Some((now + 2 * MS, store.answer(request, lease.terms.length, now)));
        }
    }
    (requests, waits, admitted)
}

#[test]
fn a_steady_rate_needs_few_requests_and_wastes_nothing() {
    let rule = rule(10_000, 20_000);
    for per_s in [400, 1_000, 9_000] {
        let mut store = Store::new(10_000, 20_000);
        let mut lease = Lease::new(terms(&rule), Duration::ZERO);
        let (requests, _, admitted) = steady(&mut lease, &mut store, per_s, 10);
        assert!(requests < per_s * 10 / 50, "{requests} requests at {per_s}/s");
        assert!(admitted > per_s * 10 * 99 / 100, "{admitted} admitted at {per_s}/s");
    }
}

#[test]
fn ten_times_the_limit_is_refused_locally_and_the_limit_is_used_up() {
    let mut store = Store::new(1_000, 1_000);
    let mut lease = Lease::new(terms(&rule(1_000, 1_000)), Duration::ZERO);
    let (requests, _, admitted) = steady(&mut lease, &mut store, 10_000, 10);
    assert!(requests < 10_000 * 10 / 50, "{requests} requests");
    assert!((10_450..=11_000).contains(&admitted), "{admitted} admitted");
}

#[test]
fn a_batch_lapses_and_a_falling_rate_gives_units_back() {
    let mut lease = Lease::new(terms(&rule(1_000, 4_000)), Duration::ZERO);
    let Step::Request(_) = lease.take(1, Duration::ZERO) else { panic!("nothing is leased") };
    lease.granted(LeaseGrant { units: 100, length: 500 * MS, mark: 7 }, Duration::ZERO);
    assert_eq!(lease.left(499 * MS), 100);
    assert_eq!(lease.left(500 * MS), 0);
    let Step::Request(request) = lease.take(101, 250 * MS) else { panic!("more than is left") };
    assert_eq!((request.need, request.give_back, request.mark), (101, 100, 7));
    assert_eq!(lease.take(1, 250 * MS), Step::Wait);
    lease.failed();
    assert_eq!(lease.take(1, 251 * MS), Step::Unavailable);
    assert!(matches!(lease.take(1, 1_000 * MS), Step::Request(_)));
    assert!(matches!(lease.take(1, 2_001 * MS), Step::Request(_)), "a lost request blocks nothing");
    lease.refused(700 * MS, 3);
    let refuse = Verdict::Refuse { retry_after: 600 * MS, limit: 4_000, remaining: 3 };
    assert_eq!(lease.take(4, 2_101 * MS), Step::Decided(refuse, None));
    assert!(matches!(lease.take(3, 2_101 * MS), Step::Request(_)), "a cost that fits is requested");
}

#[test]
fn units_spent_without_the_store_are_charged_once() {
    let mut lease = Lease::new(terms(&rule(1_000, 4_000)), Duration::ZERO);
    let debt = |lease: &mut Lease, at: u32| match lease.take(1, at * MS) {
        Step::Request(request) => request.debt,
        step => panic!("{step:?}"),
    };
    lease.spent_without_lease(30);
    assert_eq!(debt(&mut lease, 0), 30);
    lease.not_sent();
    lease.spent_without_lease(5);
    assert_eq!(debt(&mut lease, 100), 35, "the request was not sent");
    lease.failed();
    assert_eq!(debt(&mut lease, 200), 0, "the store may have charged it");
    lease.spent_without_lease(u32::MAX);
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
