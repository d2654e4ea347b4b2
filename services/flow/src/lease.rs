//! Leases: units of a shared limit that an instance takes in a batch and spends locally.
//!
//! Pure arithmetic for one key on one instance; the store of the shared count is behind the caller.
//! The rules:
//!
//! - A batch is the number of units that the instance spends in three quarters of a lease at its
//!   recent rate, and at most its share of the units that the limit earns in one lease. So no
//!   instance hoards.
//! - Every batch has its own end. Unspent units then lapse; they are never carried over.
//! - The next batch is requested ahead of need, when the rest would last less than a tenth of a
//!   lease; at most one request is in flight. The request gives back the units that the rate will
//!   not use before their end. A key that falls silent gives nothing back: its batch lapses.
//! - Units that were spent while the store was away are a debt. The next request reports it, so that
//!   an instance gains nothing from an outage.
//! - After a short answer or a refusal, decisions are made locally until the shared count can have
//!   more.
//!
//! Why leases do not break a limit: a unit is counted when it is leased and spent at most one lease
//! later. Over a span `t` that would let a bucket's `burst + rate * t` pass by `rate * lease`; so the
//! store leases only while that much of the burst, [`LeaseTerms::reserve`], stays untouched. A window
//! counts a lease where it ends.

mod terms;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use terms::{LeaseConfig, LeaseTerms};

use crate::verdict::Verdict;

/// Part of a lease for which a batch is sized; the rest is margin for a falling rate.
const FILL: f64 = 0.75;
/// The next batch is requested when the rest lasts less than a lease divided by this.
const AHEAD: u32 = 10;
/// Local decisions after a short answer, before the next request.
const DECISIONS_PER_REQUEST: f64 = 64.0;
/// Time after which a request without an answer counts as lost.
const REQUEST_LOST: Duration = Duration::from_secs(1);

/// A request to the store of the shared count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Units needed now, all or none; 1 for a request ahead of need.
    pub need: u32,
    /// Units wanted, `need` included: as many as there are.
    pub want: u32,
    /// Units of an earlier batch that the instance will not spend.
    pub give_back: u32,
    /// [`LeaseGrant::mark`] of the earlier batch; 0 when there is none.
    pub mark: u64,
    /// Units that were spent while the store was away, to be counted now.
    pub debt: u32,
}

/// Units that the store granted; what is unspent lapses after `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseGrant {
    /// From `need` to `want` units; fewer than `want` is a short answer.
    pub units: u32,
    /// Life of the units, from the moment of the request.
    pub length: Duration,
    /// Place at which the store counted the units; returned with units that are given back.
    pub mark: u64,
}

/// Next step of a decision, for the caller that sends the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Decided locally. The request, if any, is sent without waiting for its answer.
    Decided(Verdict, Option<LeaseRequest>),
    /// Send this request, wait for its answer, then decide again.
    Request(LeaseRequest),
    /// A request is in flight: decide again when it is answered.
    Wait,
    /// The store failed to answer a moment ago.
    Unavailable,
}

#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    left: u32,
    ends: Duration,
    mark: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Requested {
        since: Duration,
        want: u32,
        debt: u32,
    },
    /// Costs above `fits` are refused locally before `until`.
    Dry {
        until: Duration,
        fits: u32,
    },
    Unavailable {
        until: Duration,
    },
}

/// The leased batches of one key on this instance.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    terms: LeaseTerms,
    /// Spent in this order: the batch that ends first is spent first.
    batches: [Batch; 2],
    state: State,
    debt: u32,
    demand_per_s: f64,
    /// Units asked for since `counted_from`, whether they passed or were refused for lack of units.
    demanded: u64,
    counted_from: Duration,
}

impl Lease {
    /// Creates a lease without units; the first cost makes a request.
    #[must_use]
    pub fn new(terms: LeaseTerms, now: Duration) -> Self {
        let batches = [Batch::default(); 2];
        let state = State::Idle;
        Lease { terms, batches, state, debt: 0, demand_per_s: 0.0, demanded: 0, counted_from: now }
    }

    /// Returns the units that can be spent now.
    #[must_use]
    pub fn left(&self, now: Duration) -> u32 {
        self.batches.iter().filter(|batch| batch.ends > now).map(|batch| batch.left).sum()
    }

    /// Decides whether `cost` units pass, all or none.
    pub fn take(&mut self, cost: u32, now: Duration) -> Step {
        let left = self.left(now);
        if cost > left
            && let Some(step) = self.take_beyond(cost, left, now)
        {
            return step;
        }
        self.demanded += u64::from(cost);
        self.spend(cost, now);
        let request = self.is_request_due(now).then(|| self.request(1, now));
        Step::Decided(Verdict::Admit, request)
    }

    fn take_beyond(&mut self, cost: u32, left: u32, now: Duration) -> Option<Step> {
        let refuse = |retry_after, remaining| {
            let limit = self.terms.limit;
            Step::Decided(Verdict::Refuse { retry_after, limit, remaining }, None)
        };
        if cost > self.terms.limit {
            return Some(refuse(Duration::MAX, left));
        }
        Some(match self.state {
            State::Requested { since, .. } if now < since + REQUEST_LOST => Step::Wait,
            State::Dry { until, fits } if now < until && cost > fits => {
                let step = refuse(until - now, left.max(fits));
                self.demanded += u64::from(cost);
                step
            }
            State::Unavailable { until } if now < until => Step::Unavailable,
            _ => Step::Request(self.request(cost, now)),
        })
    }

    fn spend(&mut self, mut cost: u32, now: Duration) {
        for batch in self.batches.iter_mut().filter(|batch| batch.ends > now) {
            let spent = cost.min(batch.left);
            batch.left -= spent;
            cost -= spent;
        }
    }

    /// Returns whether the rest lasts too short; slow keys make a request only when they need units.
    fn is_request_due(&self, now: Duration) -> bool {
        let is_idle = match self.state {
            State::Idle => true,
            State::Requested { since, .. } => now >= since + REQUEST_LOST,
            State::Dry { until, .. } | State::Unavailable { until } => now >= until,
        };
        let ahead = self.terms.length / AHEAD;
        let needed = (self.demand_per_s * ahead.as_secs_f64()) as u32;
        is_idle && self.has_free_slot(now) && self.left(now + ahead) < needed
    }

    fn has_free_slot(&self, now: Duration) -> bool {
        self.batches.iter().any(|batch| batch.left == 0 || batch.ends <= now)
    }

    fn request(&mut self, need: u32, now: Duration) -> LeaseRequest {
        self.measure(now);
        let (give_back, mark) = self.give_back(now);
        let fill = self.demand_per_s * self.terms.length.as_secs_f64() * FILL;
        let want = (fill as u32).saturating_sub(self.left(now)).min(self.terms.batch_max).max(need);
        let debt = std::mem::take(&mut self.debt);
        self.state = State::Requested { since: now, want, debt };
        LeaseRequest { need, want, give_back, mark, debt }
    }

    /// Removes the units of the older batch that its remaining life is too short for.
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

    /// Updates the moving average of the demand, which decays over one lease.
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

    /// Returns the time of local decisions after a short answer.
    fn pause(&self) -> Duration {
        let shortest = self.terms.length / 16;
        let worth_it = Duration::try_from_secs_f64(DECISIONS_PER_REQUEST / self.demand_per_s);
        worth_it.unwrap_or(Duration::MAX).clamp(shortest, self.terms.length)
    }

    /// Records the answer to the request in flight; without such a request the units lapse. The
    /// second batch lapses when a third one arrives, after a cost larger than both.
    pub fn granted(&mut self, grant: LeaseGrant, now: Duration) {
        let State::Requested { since, want, .. } = self.state else { return };
        self.state = State::Idle;
        if grant.units < want {
            self.state = State::Dry { until: since + self.pause(), fits: 0 };
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

    /// Records a refusal: the need is not there before `retry_after`, and `fits` units are.
    pub fn refused(&mut self, retry_after: Duration, fits: u32) {
        let State::Requested { since, .. } = self.state else { return };
        let until = since.saturating_add(retry_after.max(self.pause()));
        self.state = State::Dry { until, fits };
    }

    /// Records that the request was not sent. For a moment no other is made.
    pub fn not_sent(&mut self) {
        let State::Requested { debt, .. } = self.state else { return };
        self.spent_without_lease(debt);
        self.failed();
    }

    /// Records units that were admitted while the store was away, at most one whole limit.
    pub fn spent_without_lease(&mut self, units: u32) {
        self.debt = self.debt.saturating_add(units).min(self.terms.limit);
    }

    /// Records that there was no answer. For a moment no other request is made. The store may have
    /// counted the debt, so it is not reported again.
    pub fn failed(&mut self) {
        let State::Requested { since, .. } = self.state else { return };
        self.state = State::Unavailable { until: since + self.terms.length / 16 };
    }
}
