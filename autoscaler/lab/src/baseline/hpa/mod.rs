//! Kubernetes' horizontal pod autoscaler (1.36): how it groups pods, how it computes replicas
//! from metrics, and how it limits changes.

mod behavior;
mod controller;
mod pods;
mod ratio;

pub use behavior::{Behavior, Rules, ScalingPolicy};
pub use controller::{Hpa, HpaConfig, HpaOutcome};
pub use pods::{Pod, PodPhase, Sample, Samples};
pub use ratio::{Metric, MetricError, Tolerance, replicas_for};

#[cfg(test)]
mod golden;
