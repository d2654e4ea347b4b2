//! Pods as the autoscaler sorts them.

use std::collections::{BTreeMap, BTreeSet};

/// CPU of a pod that is younger than this counts by its readiness.
const CPU_INITIALIZATION_SECS: f64 = 300.0;
/// A pod that was never ready within this time of its start has no CPU that counts.
const INITIAL_READINESS_SECS: f64 = 30.0;

/// A pod's phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// Not scheduled or not started.
    Pending,
    /// Started.
    Running,
    /// Ended badly.
    Failed,
}

/// A pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pod {
    /// Its number, which stands for its name.
    pub name: u32,
    /// Its phase.
    pub phase: PodPhase,
    /// It has a deletion time.
    pub deleting: bool,
    /// Its ready condition holds.
    pub ready: bool,
    /// When it started, in seconds.
    pub started_secs: f64,
    /// When its readiness last changed.
    pub turned_secs: f64,
    /// Millicores that it asks for.
    pub request: i64,
}

/// One pod's value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The value, whole as the metrics API has it.
    pub value: i64,
    /// When it was taken.
    pub at_secs: f64,
    /// Over how long.
    pub window_secs: f64,
}

/// Values by pod.
pub type Samples = BTreeMap<u32, Sample>;

#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) ready: usize,
    pub(super) unready: BTreeSet<u32>,
    pub(super) missing: BTreeSet<u32>,
    pub(super) ignored: BTreeSet<u32>,
}

/// `groupPods`: readiness matters for CPU alone.
pub(super) fn group(pods: &[Pod], samples: &Samples, is_cpu: bool, now_secs: f64) -> Groups {
    let mut groups = Groups::default();
    for pod in pods {
        if pod.deleting || pod.phase == PodPhase::Failed {
            groups.ignored.insert(pod.name);
        } else if pod.phase == PodPhase::Pending {
            groups.unready.insert(pod.name);
        } else {
            match samples.get(&pod.name) {
                None => {
                    groups.missing.insert(pod.name);
                }
                Some(sample) if is_cpu && is_cpu_unready(pod, sample, now_secs) => {
                    groups.unready.insert(pod.name);
                }
                Some(_) => groups.ready += 1,
            }
        }
    }
    groups
}

fn is_cpu_unready(pod: &Pod, sample: &Sample, now_secs: f64) -> bool {
    if pod.started_secs + CPU_INITIALIZATION_SECS > now_secs {
        !pod.ready || sample.at_secs < pod.turned_secs + sample.window_secs
    } else {
        !pod.ready && pod.started_secs + INITIAL_READINESS_SECS > pod.turned_secs
    }
}
