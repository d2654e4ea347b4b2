//! From a metric to replicas.

use super::pods::{Pod, PodPhase, Samples, group};

/// Ratios within it change nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Upwards.
    pub up: f64,
    /// Downwards.
    pub down: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { up: 0.1, down: 0.1 }
    }
}

impl Tolerance {
    fn holds(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= (1.0 + self.up)
    }
}

/// A metric and its target.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// CPU over request, in percent.
    Cpu {
        /// Target percent.
        target: i64,
        /// Millicores by pod.
        samples: Samples,
    },
    /// An average over pods.
    Pods {
        /// Target average.
        target: i64,
        /// Values by pod.
        samples: Samples,
    },
    /// One value of another object or outside; none when it cannot be read.
    Object {
        /// Target value.
        target: i64,
        /// The value.
        value: Option<i64>,
    },
    /// One value that is shared by the replicas; none when it cannot be read.
    ExternalAverage {
        /// Target per replica.
        target: i64,
        /// The value.
        value: Option<i64>,
    },
}

/// Why a metric gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// No pods.
    #[error("no pods")]
    NoPods,
    /// None of the pods that count has a value.
    #[error("no metrics for the pods")]
    NoMetrics,
}

/// Replicas that one metric asks for.
pub fn replicas_for(
    metric: &Metric,
    pods: &[Pod],
    current: u32,
    tolerance: Tolerance,
    now_secs: f64,
) -> Result<u32, MetricError> {
    match metric {
        Metric::Cpu { target, samples } => {
            per_pod(Kind::Cpu(pods), *target, samples, pods, current, tolerance, now_secs)
        }
        Metric::Pods { target, samples } => {
            per_pod(Kind::Plain, *target, samples, pods, current, tolerance, now_secs)
        }
        Metric::Object { target, value } => {
            let ratio = value.ok_or(MetricError::NoMetrics)? as f64 / *target as f64;
            if tolerance.holds(ratio) {
                return Ok(current);
            }
            // Ready pods count here even while they are being deleted.
            let ready = pods.iter().filter(|pod| pod.phase == PodPhase::Running && pod.ready).count();
            Ok((ratio * ready as f64).ceil() as u32)
        }
        Metric::ExternalAverage { target, value } => {
            let value = value.ok_or(MetricError::NoMetrics)? as f64;
            let ratio = value / (*target as f64 * f64::from(current));
            Ok(if tolerance.holds(ratio) { current } else { (value / *target as f64).ceil() as u32 })
        }
    }
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Cpu(&'a [Pod]),
    Plain,
}

impl Kind<'_> {
    fn ratio(self, samples: &Samples, target: i64) -> f64 {
        let sum: i64 = samples.values().map(|sample| sample.value).sum();
        match self {
            Kind::Cpu(pods) => {
                let asked = |name: &u32| pods.iter().find(|pod| pod.name == *name).map_or(0, |p| p.request);
                let requests: i64 = samples.keys().map(asked).sum();
                (sum * 100 / requests.max(1)) as f64 / target as f64
            }
            Kind::Plain => (sum / samples.len().max(1) as i64) as f64 / target as f64,
        }
    }

    fn is_cpu(self) -> bool {
        matches!(self, Kind::Cpu(_))
    }

    /// What a pod without a value is taken to use when the others ask for fewer.
    fn fill_down(self, pod: &Pod, target: i64) -> i64 {
        match self {
            Kind::Cpu(_) => pod.request * target.max(100) / 100,
            Kind::Plain => target,
        }
    }
}

fn per_pod(
    kind: Kind<'_>,
    target: i64,
    samples: &Samples,
    pods: &[Pod],
    current: u32,
    tolerance: Tolerance,
    now_secs: f64,
) -> Result<u32, MetricError> {
    if pods.is_empty() {
        return Err(MetricError::NoPods);
    }
    let groups = group(pods, samples, kind.is_cpu(), now_secs);
    let mut samples = samples.clone();
    samples.retain(|name, _| !groups.ignored.contains(name) && !groups.unready.contains(name));
    if samples.is_empty() {
        return Err(MetricError::NoMetrics);
    }
    let ratio = kind.ratio(&samples, target);
    let up_with_unready = !groups.unready.is_empty() && ratio > 1.0;
    if !up_with_unready && groups.missing.is_empty() {
        let same = tolerance.holds(ratio);
        return Ok(if same { current } else { (ratio * groups.ready as f64).ceil() as u32 });
    }
    let filled = |value| super::pods::Sample { value, at_secs: now_secs, window_secs: 0.0 };
    for pod in pods.iter().filter(|pod| groups.missing.contains(&pod.name)) {
        if ratio < 1.0 {
            samples.insert(pod.name, filled(kind.fill_down(pod, target)));
        } else if ratio > 1.0 || !kind.is_cpu() {
            samples.insert(pod.name, filled(0));
        }
    }
    if up_with_unready {
        samples.extend(groups.unready.iter().map(|name| (*name, filled(0))));
    }
    let again = kind.ratio(&samples, target);
    if tolerance.holds(again) || (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0) {
        return Ok(current);
    }
    let replicas = (again * samples.len() as f64).ceil() as u32;
    let wrong_way = (again < 1.0 && replicas > current) || (again > 1.0 && replicas < current);
    Ok(if wrong_way { current } else { replicas })
}
