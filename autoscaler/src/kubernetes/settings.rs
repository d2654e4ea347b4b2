//! A spec made usable, or everything that is wrong with it.

use std::time::Duration;

use barrage_scaling::{AtLeast, CapacityFile, Knee, PolicyConfig, Problem};
use serde_json::Value;

use super::resource::FleetAutoscalerSpec;
use super::schema;

/// What a decision takes from the spec.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) policy: PolicyConfig,
    pub(super) knee: Knee,
}

impl Settings {
    /// Checks a spec; the error is a text for a person.
    pub(super) fn of(spec: &FleetAutoscalerSpec, tick: Duration) -> Result<Settings, String> {
        for apart in ["mode", "replicasMin", "replicasMax", "tickSecs"] {
            if spec.policy.contains_key(apart) {
                return Err(format!(
                    "policy.{apart}: expected elsewhere (mode, minReplicas, maxReplicas, --interval)"
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
            texts.push("loads: expected entry or prometheus, one of them".into());
        }
        if texts.is_empty() { Ok(Settings { policy, knee: capacity.knee }) } else { Err(texts.join("; ")) }
    }
}
