//! How many gateways a demand needs; the most loaded axis decides.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::policy::PolicyConfig;

/// Gateways needed, in fractions, by axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Each measured axis and the gateways it asks for.
    pub axes: Vec<(Axis, f64)>,
    /// The axis that asks for most.
    pub limiting: Axis,
    /// What it asks for.
    pub gateways: f64,
}

impl Need {
    pub(crate) fn of(
        policy: &PolicyConfig,
        knee: &Knee,
        viewers: f64,
        per_viewer: [f64; 3],
        standing: f64,
        cpu_memory: [f64; 2],
        joins_per_s: f64,
    ) -> Need {
        let target = policy.target_utilization;
        let axes: Vec<(Axis, f64)> = Axis::ALL
            .into_iter()
            .filter(|axis| knee.of(*axis).is_finite())
            .map(|axis| {
                let load = match axis {
                    Axis::Connections => viewers,
                    Axis::Joins => joins_per_s * target / policy.joins.share,
                    Axis::Deliveries => viewers * per_viewer[0],
                    Axis::Egress => viewers * per_viewer[1],
                    Axis::Packets => viewers * per_viewer[2],
                    Axis::Cpu => standing * cpu_memory[0],
                    Axis::Memory => standing * cpu_memory[1],
                };
                (axis, load / (knee.of(axis) * target))
            })
            .collect();
        let (limiting, gateways) = axes
            .iter()
            .copied()
            .fold((Axis::Connections, 0.0), |most, next| if next.1 > most.1 { next } else { most });
        Need { axes, limiting, gateways }
    }

    /// Whole gateways: enough for the target, and enough that the rest stays under the
    /// reserve's utilisation when the reserve is lost. The room that the target leaves
    /// in a large fleet is reserve already; a small one needs more.
    pub(crate) fn replicas(&self, policy: &PolicyConfig) -> u32 {
        let reserve = &policy.reserve;
        let least = whole(self.gateways * policy.target_utilization / reserve.utilization);
        let zones = reserve.zones_to_survive;
        let zone = if zones > 1 { least.div_ceil(zones - 1) } else { 0 };
        let with_reserve = least.saturating_add(reserve.replicas.max(zone));
        whole(self.gateways).max(with_reserve)
    }
}

/// Rounds up, forgiving the last bits of an arithmetic.
#[must_use]
pub fn whole(gateways: f64) -> u32 {
    // A cast from float saturates, which is the bound wanted here.
    (gateways - 1e-9).ceil().max(0.0) as u32
}
