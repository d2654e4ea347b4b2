//! The HPA and Knative's autoscaler as contenders.

use barrage_scaling::{Knee, Phase, PolicyConfig};

use super::contender::{Orders, Scaler, View};
use crate::baseline::hpa::{
    Behavior, Hpa, HpaConfig, HpaOutcome, Metric, Pod, PodPhase, Sample, Samples, Tolerance,
};
use crate::baseline::kpa::{Kpa, KpaConfig};
use crate::cluster::METRIC_LAG_SECS;

/// Target of the HPA, as a share of the knee.
const TARGET: f64 = 0.8;

/// The HPA on connections and egress per pod, which are better metrics than CPU. They are 20 s
/// old.
pub(crate) struct HpaScaler {
    hpa: Hpa,
    knee: Knee,
}

impl HpaScaler {
    pub(crate) fn new(policy: &PolicyConfig, knee: Knee) -> HpaScaler {
        let hpa = Hpa::new(HpaConfig {
            replicas_min: policy.replicas_min,
            replicas_max: policy.replicas_max,
            tolerance: Tolerance::default(),
            behavior: Behavior::default(),
        });
        HpaScaler { hpa, knee }
    }

    fn samples(view: &View<'_>, value: impl Fn(&(f64, f64)) -> f64) -> Samples {
        if view.blackout {
            return Samples::new();
        }
        let lagged = view.fleet.gateways.iter().enumerate().filter_map(|(name, gateway)| {
            let old = gateway.history.front().filter(|_| gateway.history.len() >= METRIC_LAG_SECS)?;
            let sample = Sample {
                value: value(old) as i64,
                at_secs: view.now_secs,
                window_secs: METRIC_LAG_SECS as f64,
            };
            Some((barrage_scaling::count(name), sample))
        });
        lagged.collect()
    }
}

impl Scaler for HpaScaler {
    fn period_secs(&self) -> u64 {
        15
    }

    fn tick(&mut self, view: &View<'_>) -> Orders {
        let pods: Vec<Pod> = view
            .fleet
            .gateways
            .iter()
            .enumerate()
            .map(|(name, gateway)| Pod {
                name: barrage_scaling::count(name),
                phase: if gateway.phase == Phase::Starting { PodPhase::Pending } else { PodPhase::Running },
                deleting: gateway.phase == Phase::Ending,
                ready: gateway.phase != Phase::Starting,
                started_secs: gateway.created_secs,
                turned_secs: gateway.ready_secs,
                request: 0,
            })
            .collect();
        let target = |knee: f64| (TARGET * knee) as i64;
        let mut metrics = vec![Metric::Pods {
            target: target(self.knee.connections),
            samples: HpaScaler::samples(view, |(connections, _)| *connections),
        }];
        if let Some(egress) = self.knee.egress_bytes_per_s {
            let samples = HpaScaler::samples(view, |(_, egress)| *egress);
            metrics.push(Metric::Pods { target: target(egress), samples });
        }
        let current = view.fleet.replicas;
        let replicas = match self.hpa.reconcile(&metrics, &pods, current, view.now_secs) {
            HpaOutcome::Scale(replicas) => replicas,
            HpaOutcome::Keep | HpaOutcome::Failed => current,
        };
        Orders { replicas, ..Orders::default() }
    }
}

/// Knative's autoscaler on connections, which it scrapes itself without delay.
pub(crate) struct KpaScaler(Kpa);

impl KpaScaler {
    pub(crate) fn new(policy: &PolicyConfig, knee: &Knee, ready: u32) -> KpaScaler {
        let config = KpaConfig::new(knee.connections, policy.replicas_min, policy.replicas_max);
        KpaScaler(Kpa::new(config, ready))
    }
}

impl Scaler for KpaScaler {
    fn period_secs(&self) -> u64 {
        2
    }

    fn tick(&mut self, view: &View<'_>) -> Orders {
        let ready = barrage_scaling::count(view.fleet.ready().count());
        let concurrency = view.fleet.ready().map(|gateway| gateway.viewers).sum();
        let replicas =
            if view.blackout { view.fleet.replicas } else { self.0.tick(concurrency, ready, view.now_secs) };
        Orders { replicas, ..Orders::default() }
    }
}
