//! The settings of a spec, after all checks.

use std::time::Duration;

use barrage_scaling::{AtLeast, CapacityFile, Knee, PolicyConfig, Problem};
use serde_json::Value;

use super::fleet_autoscaler::FleetAutoscalerSpec;
use super::schema;

/// The parts of a spec that a decision needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) policy: PolicyConfig,
    pub(crate) knee: Knee,
}

impl FleetAutoscalerSpec {
    /// Returns why the controller refuses this spec, with every problem and its key; `None` when the
    /// controller scales by it. `tick` is the controller's interval.
    #[must_use]
    pub fn problem(&self, tick: Duration) -> Option<String> {
        Settings::new(self, tick).err()
    }
}

impl Settings {
    /// Checks a spec. The error text lists every problem with its key.
    pub(crate) fn new(spec: &FleetAutoscalerSpec, tick: Duration) -> Result<Settings, String> {
        for key in ["mode", "replicasMin", "replicasMax", "tickSecs"] {
            if spec.policy.contains_key(key) {
                return Err(format!(
                    "policy.{key}: set it outside of policy (spec.mode, spec.minReplicas, spec.maxReplicas, --interval)"
                ));
            }
        }
        let file = schema::as_in_file(Value::Object(spec.policy.clone()));
        let mut policy: PolicyConfig =
            serde_json::from_value(file).map_err(|error| format!("policy: {error}"))?;
        policy.mode = spec.mode.into();
        policy.replicas_min = spec.min_replicas;
        policy.replicas_max = spec.max_replicas;
        policy.tick_secs = tick.as_secs_f64();
        let knee = spec.capacity.as_ref().map_or_else(Knee::default, Knee::from);
        let capacity =
            CapacityFile { build: String::new(), machine: String::new(), knee, at_least: AtLeast::default() };
        let mut problems = policy.problems();
        problems.extend(capacity.problems());
        let mut texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
        if spec.loads.entry.is_some() == spec.loads.prometheus.is_some() {
            texts.push("loads: expected exactly one of entry and prometheus".into());
        }
        if texts.is_empty() { Ok(Settings { policy, knee: capacity.knee }) } else { Err(texts.join("; ")) }
    }
}
