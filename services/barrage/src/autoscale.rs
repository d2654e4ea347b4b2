//! Settings of `up --autoscale`, and the prewarms that scaling reads.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use barrage_bus::Settings;
use barrage_gateway::GatewayConfig;
use barrage_part::part;
use barrage_scaling::{CapacityFile, FleetPrewarm, Knee, PolicyConfig};

/// Default for the largest number of gateways on one machine.
const REPLICAS_MAX: u32 = 8;

part! {
    /// Autoscaling of the fleet on this machine (`up --autoscale`).
    pub(crate) struct AutoscaleConfig {
        /// Capacity of one gateway, as `barrage-loadtest capacity` writes it. Without it, the limits of
        /// `[gateway]` count.
        capacity_file: Option<PathBuf> = None;
        /// The policy, as in Kubernetes, with at most 8 gateways by default.
        policy: PolicyConfig = PolicyConfig { replicas_max: REPLICAS_MAX, ..PolicyConfig::default() };
    }
}

/// Converts the prewarms that are not over to the form that the autoscaler reads. `now` is the time
/// since the Unix epoch.
pub(crate) fn prewarms(settings: &Settings, now: Duration) -> impl Iterator<Item = FleetPrewarm> {
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    settings.prewarms(now_ms).into_iter().map(|(room, prewarm)| FleetPrewarm {
        name: room.to_string(),
        start_secs: prewarm.at_ms as f64 / 1_000.0,
        duration_secs: prewarm.lasts_secs as f64,
        viewers: prewarm.viewers as f64,
    })
}

impl AutoscaleConfig {
    /// Returns the capacity of one gateway: the measured one from `capacity_file`, else the limits of
    /// `[gateway]`.
    pub(crate) fn knee(&self, gateway: &GatewayConfig) -> anyhow::Result<Knee> {
        match &self.capacity_file {
            Some(path) => {
                let file = CapacityFile::read(path)
                    .with_context(|| format!("autoscale.capacity_file {}", path.display()))?;
                // A capacity that is a lower bound makes the fleet larger than needed, never too small.
                for warning in file.warnings() {
                    tracing::warn!(file = %path.display(), "autoscale.capacity_file: {warning}");
                }
                Ok(file.knee)
            }
            None => Ok(Knee {
                connections: gateway.viewers_max as f64,
                joins_per_s: f64::from(gateway.joins_per_s),
                deliveries_per_s: None,
                egress_bytes_per_s: Some(gateway.egress_bytes_per_s as f64),
                packets_per_s: None,
                cpu_cores: None,
                memory_bytes: None,
            }),
        }
    }
}
