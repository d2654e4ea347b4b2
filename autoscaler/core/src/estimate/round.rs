//! The inputs that all parts of one decision share.

use std::time::Duration;

use super::census::{Census, fresh};
use crate::capacity::Knee;
use crate::observed::{LoadReport, Observation, ObservedGateway};
use crate::policy::PolicyConfig;

/// Inputs of one decision. Its steps read them and change only the [`Memory`](super::Memory).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round<'a> {
    pub(crate) policy: &'a PolicyConfig,
    pub(crate) knee: &'a Knee,
    pub(crate) seen: &'a Observation,
    pub(crate) census: &'a Census<'a>,
}

impl Round<'_> {
    /// Returns the time of the observation, as the duration since the clock's origin.
    pub(crate) fn now(&self) -> Duration {
        self.seen.now()
    }

    /// The gateway's report, if it is young and credible.
    pub(crate) fn fresh<'g>(&self, gateway: &'g ObservedGateway) -> Option<&'g LoadReport> {
        fresh(self.policy, self.knee, gateway)
    }

    /// Joins per second that the policy gives to one gateway.
    pub(crate) fn joins_per_gateway(&self) -> f64 {
        self.knee.joins_per_s * self.policy.joins.share
    }
}
