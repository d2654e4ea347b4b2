//! Figures of one process that its reports to the registry do not have.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::Operator;

/// Answer of `GET /v1/admin/state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ProcessState {
    /// Version of the binary.
    pub(super) version: String,
    /// Revision of the sources that the binary was built from.
    pub(super) revision: String,
    /// Why `/readyz` answers 503; absent while the process is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_ready: Option<String>,
    /// State of each circuit breaker: `closed`, `half_open` or `open`.
    pub(super) breakers: BTreeMap<String, String>,
    /// Joins that the gateway has refused since its start, by reason; reasons without a refusal are
    /// left out.
    pub(super) joins_refused: BTreeMap<String, u64>,
    /// Newcomers that the entry has turned away since its start.
    pub(super) turned_away: u64,
    /// Messages that a stage cannot account for, by stage; stages without an error are left out.
    pub(super) conservation_errors: BTreeMap<String, u64>,
}

impl ProcessState {
    /// Reads the figures of the metrics; other fields keep their defaults.
    fn of_metrics(registry: &Registry) -> Self {
        let mut state = ProcessState::default();
        for family in registry.gather() {
            match family.name() {
                "barrage_breaker_state" => state.breakers = by_label(&family, breaker),
                "barrage_gateway_joins_refused_total" => state.joins_refused = counted(&family, counter),
                "barrage_entry_turned_away_total" => {
                    state.turned_away = family.get_metric().iter().map(counter).sum();
                }
                "barrage_conservation_error" => state.conservation_errors = counted(&family, gauge),
                _ => {}
            }
        }
        state
    }
}

fn counter(metric: &Metric) -> u64 {
    metric.get_counter().get_value() as u64
}

fn gauge(metric: &Metric) -> u64 {
    metric.get_gauge().get_value().max(0.0) as u64
}

fn breaker(metric: &Metric) -> String {
    match metric.get_gauge().get_value() as i64 {
        0 => "closed",
        1 => "half_open",
        _ => "open",
    }
    .into()
}

/// Reads a value of each metric, by the value of its only label.
fn by_label<T>(family: &MetricFamily, value: fn(&Metric) -> T) -> BTreeMap<String, T> {
    let labelled = family.get_metric().iter().filter_map(|metric| {
        let label = metric.get_label().first()?;
        Some((label.value().to_owned(), value(metric)))
    });
    labelled.collect()
}

fn counted(family: &MetricFamily, value: fn(&Metric) -> u64) -> BTreeMap<String, u64> {
    let mut values = by_label(family, value);
    values.retain(|_, value| *value > 0);
    values
}

/// Answers with the figures of this process.
pub(super) async fn handle(State(operator): State<Arc<Operator>>) -> Json<ProcessState> {
    let parts = &operator.parts;
    Json(ProcessState {
        version: parts.version.into(),
        revision: parts.revision.into(),
        not_ready: parts.readiness.why_not(),
        ..ProcessState::of_metrics(&parts.registry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{IntCounterVec, IntGaugeVec, Opts};

    #[test]
    fn state_has_breakers_refused_joins_and_errors_of_the_metrics() {
        let registry = Registry::new();
        let gauges = |name: &str, label: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, "."), &[label]).unwrap();
            registry.register(Box::new(gauges.clone())).unwrap();
            gauges
        };
        let breakers = gauges("barrage_breaker_state", "breaker");
        for (name, value) in [("a", 0), ("b", 1), ("c", 2)] {
            breakers.with_label_values(&[name]).set(value);
        }
        let errors = gauges("barrage_conservation_error", "stage");
        errors.with_label_values(&["hub"]).set(0);
        errors.with_label_values(&["waves"]).set(3);
        let opts = Opts::new("barrage_gateway_joins_refused_total", ".");
        let refused = IntCounterVec::new(opts, &["reason"]).unwrap();
        registry.register(Box::new(refused.clone())).unwrap();
        refused.with_label_values(&["full"]).inc_by(7);
        refused.with_label_values(&["draining"]);
        let state = ProcessState::of_metrics(&registry);
        let states: Vec<_> = state.breakers.values().map(String::as_str).collect();
        assert_eq!(states, ["closed", "half_open", "open"]);
        assert_eq!(state.conservation_errors, BTreeMap::from([("waves".into(), 3)]));
        assert_eq!(state.joins_refused, BTreeMap::from([("full".into(), 7)]));
    }
}
