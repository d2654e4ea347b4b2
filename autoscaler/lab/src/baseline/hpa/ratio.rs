//! Number of replicas that one metric asks for, as the HPA computes it.

use super::pods::{Pod, PodPhase, Samples, group};

/// Band around a ratio of 1 within which the replicas stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Ratio above 1 that causes a scale-out.
    pub up: f64,
    /// Ratio below 1 that causes a scale-in.
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

/// A metric with its target and its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// CPU use of the pods over their requests, in percent.
    Cpu {
        /// Target as a percentage of the pods' requests.
        target: i64,
        /// Millicores that each pod uses, by pod number.
        samples: Samples,
    },
    /// A metric of each pod, compared by its average over pods.
    Pods {
        /// Target of the average over the pods that count.
        target: i64,
        /// Values of the metric, by pod number.
        samples: Samples,
    },
    /// One value of another object or of an external source.
    Object {
        /// Target of the one value, in the unit of the metric.
        target: i64,
        /// The value; absent when it cannot be read.
        value: Option<i64>,
    },
    /// One external value, divided by the replicas.
    ExternalAverage {
        /// Target of the value's share for each replica.
        target: i64,
        /// The value; absent when it cannot be read.
        value: Option<i64>,
    },
}

/// Why a metric gives no number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The selector of the target matches no pods.
    #[error("no pods")]
    NoPods,
    /// No pod that counts has a value.
    #[error("no metrics for the pods")]
    NoMetrics,
}

/// Returns the replicas that one metric asks for.
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
            // Here, ready pods count even while they are being deleted.
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

    /// Value assumed for a pod without one when the other pods ask for fewer replicas.
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
