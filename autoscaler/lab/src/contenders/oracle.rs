//! A contender that knows the trace, and still waits for starts and drains.

use barrage_scaling::{Knee, Phase, PolicyConfig, whole};

use super::contender::{Orders, Scaler, View};
use crate::input::Trace;

/// Longest start, as a multiple of the mean.
const SLOWEST: f64 = 1.25;
/// Step of the look-ahead, in seconds; it reaches two steps beyond the longest start.
const STEP_SECS: f64 = 5.0;

pub(crate) struct Oracle {
    policy: PolicyConfig,
    knee: Knee,
}

impl Oracle {
    pub(crate) fn new(policy: PolicyConfig, knee: Knee) -> Oracle {
        Oracle { policy, knee }
    }
}

/// Returns the gateways, with a fraction, that a moment of the trace needs when each is used up
/// to the given shares of its knee.
pub(crate) fn needed(trace: &Trace, knee: &Knee, at_secs: f64, target: f64, joins_target: f64) -> f64 {
    let viewers = trace.viewers.at(at_secs);
    let growth = (trace.viewers.at(at_secs + 1.0) - viewers).max(0.0);
    let joins = growth + trace.leave_share_per_s * viewers;
    let egress = viewers * trace.egress_per_viewer.at(at_secs);
    let states = (viewers / knee.connections).max(egress / knee.egress_bytes_per_s.unwrap_or(f64::INFINITY));
    (states / target).max(joins / (knee.joins_per_s * joins_target))
}

impl Scaler for Oracle {
    fn period_secs(&self) -> u64 {
        STEP_SECS as u64
    }

    fn tick(&mut self, view: &View<'_>) -> Orders {
        let ahead = view.trace.provision_secs * SLOWEST + 2.0 * STEP_SECS;
        let target = self.policy.target_utilization;
        let most = (0..=(ahead / STEP_SECS) as u32)
            .map(|step| view.now_secs + f64::from(step) * STEP_SECS)
            .map(|at| needed(view.trace, &self.knee, at, target, self.policy.joins.share))
            .fold(0.0, f64::max);
        let replicas = whole(most).clamp(self.policy.replicas_min, self.policy.replicas_max);
        let mut ready: Vec<_> = view.fleet.ready().filter(|g| g.phase == Phase::Ready).collect();
        ready.sort_by(|a, b| a.viewers.total_cmp(&b.viewers));
        let many = view.fleet.replicas.saturating_sub(replicas) as usize;
        let doomed = ready.into_iter().take(many).map(|gateway| gateway.id.clone()).collect();
        Orders { replicas, doomed, ..Orders::default() }
    }
}
