//! The gateways that a load needs. The most loaded axis decides.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::capacity::Knee;
use crate::policy::PolicyConfig;

/// Gateways that a load needs, with fractions, by axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Each measured axis, with the gateways that it asks for.
    pub axes: Vec<(Axis, f64)>,
    /// The axis that asks for the most gateways, and so decides.
    pub limiting: Axis,
    /// Gateways that the limiting axis asks for.
    pub gateways: f64,
}

/// A load that gateways are needed for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExpectedLoad {
    /// Viewers to carry at the horizon of the forecast.
    pub(crate) viewers: f64,
    /// Deliveries, bytes and packets per second, for one viewer.
    pub(crate) per_viewer: [f64; 3],
    /// Viewers now, for the axes that a process uses while it stands.
    pub(crate) connected: f64,
    /// Processors and bytes of memory, for one connected viewer.
    pub(crate) standing: [f64; 2],
    /// Joins per second that the fleet needs.
    pub(crate) joins_per_s: f64,
}

impl Need {
    /// Gateways of one knee that carry a load at the policy's target utilisation.
    pub(crate) fn of(policy: &PolicyConfig, knee: &Knee, expected: &ExpectedLoad) -> Need {
        let ExpectedLoad { viewers, per_viewer, connected, standing, joins_per_s } = *expected;
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
                    Axis::Cpu => connected * standing[0],
                    Axis::Memory => connected * standing[1],
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

    /// Whole gateways: enough for the target, and enough that the others stay under the reserve's
    /// utilisation when the reserve is lost. In a large fleet the target already leaves that much
    /// room; a small fleet needs more.
    pub(crate) fn replicas(&self, policy: &PolicyConfig) -> u32 {
        let reserve = &policy.reserve;
        let least = whole(self.gateways * policy.target_utilization / reserve.utilization);
        let zones = reserve.zones_to_survive;
        let zone = if zones > 1 { least.div_ceil(zones - 1) } else { 0 };
        let with_reserve = least.saturating_add(reserve.replicas.max(zone));
        whole(self.gateways).max(with_reserve)
    }
}

/// Rounds up to a whole number, ignoring rounding errors.
#[must_use]
pub fn whole(gateways: f64) -> u32 {
    // A cast from float saturates, which is the intended bound.
    (gateways - 1e-9).ceil().max(0.0) as u32
}
