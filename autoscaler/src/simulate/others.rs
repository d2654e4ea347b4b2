//! The other autoscalers in the simulator.

use barrage_scaling::{Knee, Phase, PolicyConfig};

use super::contender::{Look, Orders, Scaler};
use super::gateway::METRIC_LAG_SECS;
use crate::baseline::hpa::{
    Behavior, Hpa, HpaConfig, HpaOutcome, Metric, Pod, PodPhase, Sample, Samples, Tolerance,
};
use crate::baseline::kpa::{Kpa, KpaConfig};

/// Share of the knee that the HPA is given as its target.
const TARGET: f64 = 0.8;

/// The HPA with the right metrics (connections and egress per pod, not CPU), 20 s old.
pub(super) struct HpaScaler {
    hpa: Hpa,
    knee: Knee,
}

impl HpaScaler {
    pub(super) fn new(policy: &PolicyConfig, knee: Knee) -> HpaScaler {
        let hpa = Hpa::new(HpaConfig {
            replicas_min: policy.replicas_min,
            replicas_max: policy.replicas_max,
            tolerance: Tolerance::default(),
            behavior: Behavior::default(),
        });
        HpaScaler { hpa, knee }
    }

    fn samples(look: &Look<'_>, value: impl Fn(&(f64, f64)) -> f64) -> Samples {
        if look.blackout {
            return Samples::new();
        }
        let lagged = look.fleet.gateways.iter().enumerate().filter_map(|(name, gateway)| {
            let old = gateway.history.front().filter(|_| gateway.history.len() >= METRIC_LAG_SECS)?;
            let sample = Sample {
                value: value(old) as i64,
                at_secs: look.now_secs,
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

    fn tick(&mut self, look: &Look<'_>) -> Orders {
        let pods: Vec<Pod> = look
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
            samples: HpaScaler::samples(look, |(connections, _)| *connections),
        }];
        if let Some(egress) = self.knee.egress_bytes_per_s {
            let samples = HpaScaler::samples(look, |(_, egress)| *egress);
            metrics.push(Metric::Pods { target: target(egress), samples });
        }
        let current = look.fleet.replicas;
        let replicas = match self.hpa.reconcile(&metrics, &pods, current, look.now_secs) {
            HpaOutcome::Scale(replicas) => replicas,
            HpaOutcome::Keep | HpaOutcome::Failed => current,
        };
        Orders { replicas, ..Orders::default() }
    }
}

/// Knative's autoscaler on connections, which it scrapes itself.
pub(super) struct KpaScaler(Kpa);

impl KpaScaler {
    pub(super) fn new(policy: &PolicyConfig, knee: &Knee, ready: u32) -> KpaScaler {
        let config = KpaConfig::new(knee.connections, policy.replicas_min, policy.replicas_max);
        KpaScaler(Kpa::new(config, ready))
    }
}

impl Scaler for KpaScaler {
    fn period_secs(&self) -> u64 {
        2
    }

    fn tick(&mut self, look: &Look<'_>) -> Orders {
        let ready = barrage_scaling::count(look.fleet.ready().count());
        let concurrency = look.fleet.ready().map(|gateway| gateway.viewers).sum();
        let replicas =
            if look.blackout { look.fleet.replicas } else { self.0.tick(concurrency, ready, look.now_secs) };
        Orders { replicas, ..Orders::default() }
    }
}
