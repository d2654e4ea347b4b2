//! Leases of a shared limit: instances that spend, a store that lends, answers that are late or lost, and
//! instances that die with what they have.

use std::collections::VecDeque;
use std::time::Duration;

use barrage_flow::{Lease, LeaseConfig, LeaseGrant, LeaseRequest, LeaseTerms, Rate, Rule, Step};

use super::kind::{Broken, Kind, Scenario};
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::trace::Trace;

pub(super) const KIND: Kind = Kind {
    name: "lease",
    about: "instances together keep the law of the shared bucket, and none spends units that have lapsed",
    events: 150,
    mutations: &[Mutation::CountsHalf, Mutation::LifeFromAnswer],
    start: |rng, mutation| Box::new(World::new(rng, mutation)),
};

const INSTANCES: usize = 3;
/// Time after which a caller of the store takes an answer as lost; [`Lease`] then counts it as lost too.
const ANSWER_MAX: Duration = Duration::from_millis(900);

/// The shared bucket, as `services/quota/src/lua/bucket.lua` computes it.
struct Store {
    per_s: f64,
    burst: f64,
    reserve: f64,
    owed: f64,
    at: Duration,
    grants: u64,
    /// Part of each grant that is counted; less than 1 is a defect.
    counted: f64,
}

impl Store {
    fn answer(&mut self, request: LeaseRequest, length: Duration, now: Duration) -> Option<LeaseGrant> {
        let drained = self.per_s * (now - self.at).as_secs_f64() + f64::from(request.give_back);
        self.at = now;
        self.owed = ((self.owed - drained).max(0.0) + f64::from(request.debt)).min(self.burst);
        let need = f64::from(request.need);
        let is_large = need > self.burst - self.reserve;
        let (cap, want) =
            if is_large { (self.burst, request.need) } else { (self.burst - self.reserve, request.want) };
        let room = (cap - self.owed + 1e-6).floor().max(0.0);
        if need > room {
            return None;
        }
        let units = want.min(room as u32);
        self.owed += f64::from(units) * self.counted;
        self.grants += 1;
        let length = (2 * length * units / request.want.max(1)).min(length);
        Some(LeaseGrant { units, length, mark: self.grants })
    }
}

/// An answer on its way.
#[derive(Debug, Clone, Copy)]
struct Answer {
    due: Duration,
    since: Duration,
    grant: Option<LeaseGrant>,
    is_lost: bool,
}

struct Instance {
    lease: Lease,
    in_flight: Option<Answer>,
    /// Units that the store lent to this instance, with their end.
    held: Vec<(LeaseGrant, Duration)>,
}

struct World {
    mutation: Option<Mutation>,
    terms: LeaseTerms,
    store: Store,
    now: Duration,
    instances: Vec<Instance>,
    /// What passed, one entry for each time.
    admitted: VecDeque<(Duration, u32)>,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Spend,
    /// All instances are busy, then nothing comes for the most of a lease, then more than there is.
    Wave,
    Time,
    Die,
    Silence,
}

impl World {
    fn new(rng: &mut Rng, mutation: Option<Mutation>) -> Self {
        let per_s = rng.between(300, 3_000) as u32;
        let burst = per_s * rng.between(100, 250) as u32 / 100;
        let rate = Rate::per_sec(per_s, burst).expect("a rate within its bounds");
        let terms =
            LeaseTerms::of(&Rule::Rate(rate), &LeaseConfig::default()).expect("large enough to lease");
        let counted = if mutation == Some(Mutation::CountsHalf) { 0.5 } else { 1.0 };
        let (per_s, burst, reserve) = (f64::from(per_s), f64::from(burst), f64::from(terms.reserve()));
        World {
            mutation,
            terms,
            store: Store { per_s, burst, reserve, owed: 0.0, at: Duration::ZERO, grants: 0, counted },
            now: Duration::ZERO,
            instances: (0..INSTANCES).map(|_| Instance::new(terms, Duration::ZERO)).collect(),
            admitted: VecDeque::new(),
        }
    }

    fn request(&mut self, index: usize, request: LeaseRequest, rng: &mut Rng) {
        let (now, length) = (self.now, self.terms.length());
        let instance = &mut self.instances[index];
        for (grant, _) in instance.held.iter_mut().filter(|(grant, _)| grant.mark == request.mark) {
            grant.units -= request.give_back.min(grant.units);
        }
        // A request may be lost before the store sees it.
        let reaches = !rng.percent(5);
        let grant = if reaches { self.store.answer(request, length, now) } else { None };
        let is_lost = !reaches || rng.percent(5);
        let due = now + Duration::from_millis(rng.weighted(&[(6, 1), (3, 20), (1, 400)]));
        instance.in_flight = Some(Answer { due, since: now, grant, is_lost });
    }

    fn answers(&mut self, index: usize) {
        let (now, length) = (self.now, self.terms.length());
        let instance = &mut self.instances[index];
        let Some(answer) = instance.in_flight else { return };
        if answer.is_lost {
            if now >= answer.since + ANSWER_MAX {
                instance.in_flight = None;
                instance.lease.failed();
            }
            return;
        }
        if now < answer.due {
            return;
        }
        instance.in_flight = None;
        match answer.grant {
            Some(mut grant) => {
                instance.held.push((grant, answer.since + grant.length));
                if self.mutation == Some(Mutation::LifeFromAnswer) {
                    grant.length += length + (now - answer.since);
                }
                instance.lease.granted(grant, now);
            }
            None => instance.lease.refused(Duration::from_millis(1), 0),
        }
    }

    fn spend(&mut self, index: usize, cost: u32, rng: &mut Rng) -> Result<bool, Broken> {
        self.answers(index);
        let now = self.now;
        match self.instances[index].lease.take(cost, now) {
            Step::Decided(verdict, request) => {
                if verdict.is_admit() {
                    must!(
                        self.instances[index].has_spent(cost, now),
                        "instance {index} spends {cost} at {now:?}, which it does not have"
                    );
                }
                if let Some(request) = request {
                    must!(
                        self.instances[index].in_flight.is_none(),
                        "two requests of instance {index} are in flight"
                    );
                    self.request(index, request, rng);
                }
                Ok(verdict.is_admit())
            }
            Step::Request(request) => {
                self.request(index, request, rng);
                Ok(false)
            }
            Step::Wait | Step::Unavailable => Ok(false),
        }
    }

    /// Spends as often as said. Returns how often it passed.
    fn spend_often(&mut self, index: usize, cost: u32, times: u64, rng: &mut Rng) -> Result<u32, Broken> {
        let mut passed = 0;
        for _ in 0..times {
            passed += u32::from(self.spend(index, cost, rng)?);
        }
        self.admit(passed * cost)?;
        Ok(passed)
    }

    /// Spends one unit at a time, so often or until one does not pass.
    fn spend_all(&mut self, index: usize, times: u64, rng: &mut Rng) -> Result<(), Broken> {
        let mut passed = 0;
        while u64::from(passed) < times && self.spend(index, 1, rng)? {
            passed += 1;
        }
        self.admit(passed)
    }

    fn wave(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let length_ms = self.terms.length().as_millis() as u64;
        let (busy, pause_ms) = (rng.between(20, 80), rng.between(length_ms / 8, length_ms / 2));
        // Together half of the rate, so that the shared bucket is nearly full.
        let each = (self.store.per_s as u64 / 600).max(1);
        for _ in 0..busy {
            for index in 0..INSTANCES {
                self.spend_often(index, 1, each, rng)?;
            }
            self.now += Duration::from_millis(10);
        }
        self.now += Duration::from_millis(pause_ms);
        let surge = self.store.burst as u64 / 8;
        for _ in 0..40 {
            for index in 0..INSTANCES {
                self.spend_all(index, surge, rng)?;
            }
            self.now += Duration::from_millis(1);
        }
        Ok(())
    }

    /// Checks the law of the bucket over all spans that end now.
    fn admit(&mut self, cost: u32) -> Result<(), Broken> {
        match self.admitted.back_mut() {
            Some((at, units)) if *at == self.now => *units += cost,
            _ => self.admitted.push_back((self.now, cost)),
        }
        // A span longer than the burst takes to drain is the sum of shorter ones.
        let oldest = Duration::from_secs_f64(2.0 * self.store.burst / self.store.per_s);
        while self.admitted.front().is_some_and(|(at, _)| *at + oldest < self.now) {
            self.admitted.pop_front();
        }
        let mut sum = 0.0;
        for (at, units) in self.admitted.iter().rev() {
            sum += f64::from(*units);
            let law = self.store.burst + self.store.per_s * (self.now - *at).as_secs_f64();
            must!(sum <= law + 1e-3, "{sum} units pass from {at:?} to {:?}, the law is {law:.1}", self.now);
        }
        Ok(())
    }
}

impl Instance {
    fn new(terms: LeaseTerms, now: Duration) -> Self {
        Instance { lease: Lease::new(terms, now), in_flight: None, held: Vec::new() }
    }

    /// Takes units off what was lent; returns whether there were enough that have not lapsed.
    fn has_spent(&mut self, mut cost: u32, now: Duration) -> bool {
        self.held.retain(|(grant, ends)| *ends > now && grant.units > 0);
        self.held.sort_by_key(|(_, ends)| *ends);
        for (grant, _) in &mut self.held {
            let spent = cost.min(grant.units);
            grant.units -= spent;
            cost -= spent;
        }
        cost == 0
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (60, Happens::Spend),
            (35, Happens::Time),
            (2, Happens::Die),
            (3, Happens::Silence),
            (1, Happens::Wave),
        ]);
        let index = rng.below(INSTANCES);
        match happens {
            Happens::Spend => {
                let cost = rng.weighted(&[(8, 1), (2, 5), (1, 40)]);
                let times = rng.between(1, 120);
                let passed = self.spend_often(index, cost, times, rng)?;
                trace.note(format_args!(
                    "{:?}: {passed} of {times} x {cost} pass at instance {index}",
                    self.now
                ));
            }
            Happens::Wave => {
                self.wave(rng)?;
                trace.note(format_args!("{:?}: a wave has passed", self.now));
            }
            Happens::Time => self.now += Duration::from_millis(rng.weighted(&[(6, 3), (6, 30), (2, 250)])),
            Happens::Die => {
                trace.note(format_args!("{:?}: instance {index} dies", self.now));
                self.instances[index] = Instance::new(self.terms, self.now);
            }
            Happens::Silence => self.now += Duration::from_millis(rng.between(500, 3_000)),
        }
        Ok(())
    }

    fn settle(&mut self, _: &mut Trace) -> Result<(), Broken> {
        // After silence and without faults the whole burst can be lent again, except for the reserve.
        self.now += Duration::from_secs(30);
        let mut rng = Rng::new(1);
        for index in 0..INSTANCES {
            self.answers(index);
        }
        let mut passed = 0;
        for turn in 0..600 {
            passed += self.spend_often(turn % INSTANCES, 1, 1, &mut rng)?;
            self.now += Duration::from_millis(1);
        }
        must!(passed > 0, "nothing passes after silence");
        Ok(())
    }
}
