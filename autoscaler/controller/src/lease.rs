//! Leader election through a Lease, and the fence before each write.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{ControllerError, is_conflict};

/// Duration of the lease: another replica may take one that was not renewed for this long.
pub const LEASE: Duration = Duration::from_secs(15);
/// A leader that has not renewed for this long stops writing.
pub const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// Time between two reads of the lease.
pub const RETRY: Duration = Duration::from_secs(2);

/// Next step of a candidate for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// This replica holds the lease and extends it.
    Renew,
    /// No replica holds the lease, or its holder has stopped renewing.
    Take,
    /// Another replica holds the lease and has renewed it within its duration.
    Wait,
}

/// `unchanged` is the time for which this replica has seen the lease without a change. Only the
/// own clock counts: clocks of two replicas may differ.
fn evaluate(lease: &LeaseSpec, me: &str, unchanged: Duration) -> Verdict {
    let secs = lease.lease_duration_seconds.and_then(|secs| u64::try_from(secs).ok());
    let lasts = secs.map_or(LEASE, Duration::from_secs);
    match lease.holder_identity.as_deref() {
        Some(holder) if holder == me => Verdict::Renew,
        None | Some("") => Verdict::Take,
        Some(_) if unchanged >= lasts => Verdict::Take,
        Some(_) => Verdict::Wait,
    }
}

/// Term of this replica as the leader, from one acquisition of the lease on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Term {
    transitions: i32,
    /// End of the term unless it is renewed before.
    until: Instant,
}

/// One candidate. The caller calls [`Election::tick`] every [`RETRY`].
pub struct Election {
    leases: Api<Lease>,
    name: String,
    me: Arc<str>,
    seen: Option<(LeaseSpec, Instant)>,
    term: watch::Sender<Option<Term>>,
}

impl Election {
    /// Returns a candidate called `me`, and the fence that is open while the candidate leads.
    #[must_use]
    pub fn new(leases: Api<Lease>, name: &str, me: &str) -> (Election, Fence) {
        let (term, terms) = watch::channel(None);
        let me: Arc<str> = me.into();
        let fence = Fence { leases: leases.clone(), name: name.into(), me: Arc::clone(&me), terms };
        (Election { leases, name: name.into(), me, seen: None, term }, fence)
    }

    /// Takes, renews or watches the lease. After an error the term goes on until the lease has
    /// not been renewed for [`RENEW_WITHIN`].
    ///
    /// # Errors
    /// When the API server does not answer in time or refuses.
    pub async fn tick(&mut self) -> Result<(), ControllerError> {
        let began = Instant::now();
        let won = tokio::time::timeout(RENEW_WITHIN / 2, self.round(began)).await;
        let Ok(won) = won else {
            return Err(kube::Error::Service("the API server did not answer in time".into()).into());
        };
        let term = won?.map(|transitions| Term { transitions, until: began + RENEW_WITHIN });
        self.term.send_replace(term);
        Ok(())
    }

    /// Returns the number of the term when this replica leads.
    async fn round(&mut self, now: Instant) -> Result<Option<i32>, ControllerError> {
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.record(0, None)) };
            return Self::outcome(self.leases.create(&PostParams::default(), &lease).await, 0);
        };
        let spec = lease.spec.take().unwrap_or_default();
        let since = match &self.seen {
            Some((seen, since)) if *seen == spec => *since,
            _ => now,
        };
        self.seen = Some((spec.clone(), since));
        let transitions = spec.lease_transitions.unwrap_or(0);
        let (transitions, acquired) = match evaluate(&spec, &self.me, now - since) {
            Verdict::Wait => return Ok(None),
            Verdict::Renew => (transitions, spec.acquire_time),
            Verdict::Take => (transitions.wrapping_add(1), None),
        };
        lease.spec = Some(self.record(transitions, acquired));
        // The resource version makes the write of one candidate succeed, and the others conflict.
        let replaced = self.leases.replace(&self.name, &PostParams::default(), &lease).await;
        Self::outcome(replaced, transitions)
    }

    fn outcome(written: kube::Result<Lease>, transitions: i32) -> Result<Option<i32>, ControllerError> {
        match written {
            Ok(_) => Ok(Some(transitions)),
            Err(error) if is_conflict(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn record(&self, transitions: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.me.to_string()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            acquire_time: acquired.or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// Gives the lease up, so that another replica can take it at once.
    pub async fn resign(&mut self) {
        if self.term.send_replace(None).is_none() {
            return;
        }
        let Ok(Some(mut lease)) = self.leases.get_opt(&self.name).await else { return };
        let Some(spec) = lease.spec.as_mut() else { return };
        if spec.holder_identity.as_deref() == Some(&*self.me) {
            spec.holder_identity = None;
            // A failed write is no harm: the lease expires.
            let _ = self.leases.replace(&self.name, &PostParams::default(), &lease).await;
        }
    }
}

/// Permits writes while this replica holds the lease. Each write calls [`Fence::check`] first.
#[derive(Clone)]
pub struct Fence {
    leases: Api<Lease>,
    name: String,
    me: Arc<str>,
    terms: watch::Receiver<Option<Term>>,
}

impl Fence {
    /// Whether this replica leads by its own clock, without a request.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.term().is_some()
    }

    fn term(&self) -> Option<i32> {
        let term = *self.terms.borrow();
        term.filter(|term| Instant::now() < term.until).map(|term| term.transitions)
    }

    /// Checks at the API server that the lease names this replica, in the term that it knows.
    ///
    /// # Errors
    /// [`ControllerError::Fenced`] when the lease does not, or the API server's error.
    pub async fn check(&self) -> Result<(), ControllerError> {
        let term = self.term().ok_or(ControllerError::Fenced)?;
        let lease = self.leases.get(&self.name).await?.spec.unwrap_or_default();
        let is_leader = lease.holder_identity.as_deref() == Some(&*self.me)
            && lease.lease_transitions == Some(term)
            && self.term() == Some(term);
        if is_leader { Ok(()) } else { Err(ControllerError::Fenced) }
    }

    /// Returns the name of this replica, as the lease's holder field shows it.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.me
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_is_renewed_by_holder_taken_when_expired_and_left_otherwise() {
        let held = |holder: Option<&str>| LeaseSpec {
            holder_identity: holder.map(Into::into),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        let secs = Duration::from_secs;
        for (holder, unchanged, expected) in [
            (Some("me"), 0, Verdict::Renew),
            (Some("me"), 99, Verdict::Renew),
            (Some("other"), 14, Verdict::Wait),
            (Some("other"), 15, Verdict::Take),
            (None, 0, Verdict::Take),
            (Some(""), 0, Verdict::Take),
        ] {
            assert_eq!(evaluate(&held(holder), "me", secs(unchanged)), expected, "{holder:?} {unchanged}");
        }
    }
}
