//! Groups of pods by readiness and metrics.

use std::collections::{BTreeMap, BTreeSet};

/// Age up to which the CPU of a pod counts only when the pod is ready.
const CPU_INITIALIZATION_SECS: f64 = 300.0;
/// Time after its start within which an unready pod that was never ready counts as unready.
const INITIAL_READINESS_SECS: f64 = 30.0;

/// Phase of a pod, as Kubernetes reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// The pod is not scheduled, or its containers have not started.
    Pending,
    /// The containers of the pod have started.
    Running,
    /// The pod ended with an error, so it is ignored.
    Failed,
}

/// A pod as the HPA sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pod {
    /// Number that stands in for the pod's name, unique in a run.
    pub name: u32,
    /// Phase of the pod, as its status shows it.
    pub phase: PodPhase,
    /// The pod has a deletion timestamp, so it is about to end.
    pub deleting: bool,
    /// The pod's condition `Ready` is true at this moment.
    pub ready: bool,
    /// Start time of the pod, in seconds of simulated time.
    pub started_secs: f64,
    /// Time of the last change of readiness, in seconds.
    pub turned_secs: f64,
    /// CPU request of the pod, in millicores; the divisor of CPU utilisation.
    pub request: i64,
}

/// Value of a metric for one pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Whole number, as in the metrics API.
    pub value: i64,
    /// Time of the sample, in seconds of simulated time.
    pub at_secs: f64,
    /// Length of the window that the sample averages, in seconds.
    pub window_secs: f64,
}

/// Samples of one metric, by the number of the pod.
pub type Samples = BTreeMap<u32, Sample>;

#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) ready: usize,
    pub(super) unready: BTreeSet<u32>,
    pub(super) missing: BTreeSet<u32>,
    pub(super) ignored: BTreeSet<u32>,
}

/// Groups pods as `groupPods` does: readiness matters for CPU alone.
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
