//! Metrics of the controller. Label values are names of fleets, which are objects of the
//! cluster, and constants of this program.

use barrage_scaling::{Axis, Decision};
use prometheus::{GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

use crate::actuate::Applied;
use crate::error::ControllerError;

/// Handles of the controller's Prometheus metrics, registered once per process.
#[derive(Debug, Clone)]
pub struct ControllerMetrics {
    gateways: GaugeVec,
    recommended: GaugeVec,
    viewers: GaugeVec,
    skew: GaugeVec,
    forecast_error: GaugeVec,
    panic: GaugeVec,
    actions: IntCounterVec,
    errors: IntCounterVec,
    wrong_victims: IntCounterVec,
    pub(crate) pass_seconds: Histogram,
    pub(crate) leader: IntGauge,
}

impl ControllerMetrics {
    /// Registers the metrics of the controller.
    ///
    /// # Errors
    /// When a name is already registered.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = GaugeVec::new(Opts::new(format!("barrage_autoscaler_{name}"), help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(format!("barrage_autoscaler_{name}"), help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let pass_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_autoscaler_pass_seconds",
                "Duration of one pass over all fleets, in seconds.",
            )
            .buckets(prometheus::exponential_buckets(0.005, 2.0, 12)?),
        )?;
        let leader = IntGauge::new("barrage_autoscaler_leader", "1 while this replica leads.")?;
        registry.register(Box::new(pass_seconds.clone()))?;
        registry.register(Box::new(leader.clone()))?;
        Ok(ControllerMetrics {
            gateways: gauge("gateways", "Gateways of a fleet by state.", &["fleet", "state"])?,
            recommended: gauge(
                "recommended_gateways",
                "Gateways that each axis requires.",
                &["fleet", "axis"],
            )?,
            viewers: gauge(
                "viewers",
                "Viewers: all (connected and waiting), waiting, forecast.",
                &["fleet", "which"],
            )?,
            skew: gauge("skew_ratio", "Viewers of the fullest gateway, divided by the mean.", &["fleet"])?,
            forecast_error: gauge(
                "forecast_error_ratio",
                "Error of the newest forecast whose time has come, as a share of the viewers; negative when \
                 more came.",
                &["fleet"],
            )?,
            panic: gauge("panic", "1 while demand outgrows the fleet.", &["fleet"])?,
            actions: counter(
                "actions_total",
                "Actions carried out, by the reason of their event.",
                &["fleet", "action"],
            )?,
            errors: counter(
                "errors_total",
                "Passes that ended early, and decisions that were not carried out completely.",
                &["fleet", "reason"],
            )?,
            wrong_victims: counter(
                "wrong_victims_total",
                "Gateways that Kubernetes deleted in place of a drained one.",
                &["fleet"],
            )?,
            pass_seconds,
            leader,
        })
    }

    /// Sets the gauges of a fleet after a decision.
    pub(crate) fn decided(&self, fleet: &str, replicas: u32, decision: &Decision, forecast_error: f64) {
        let reason = &decision.reason;
        for (state, many) in [
            ("asked", replicas),
            ("desired", decision.replicas),
            ("serving", reason.serving),
            ("arriving", reason.arriving),
            ("draining", reason.draining),
            ("silent", reason.silent),
        ] {
            self.gateways.with_label_values(&[fleet, state]).set(f64::from(many));
        }
        for (axis, gateways) in &reason.need.axes {
            self.recommended.with_label_values(&[fleet, axis.label()]).set(*gateways);
        }
        for (which, many) in [
            ("all", reason.demand.viewers),
            ("waiting", reason.demand.waiting),
            ("forecast", reason.forecast.viewers),
        ] {
            self.viewers.with_label_values(&[fleet, which]).set(many);
        }
        self.skew.with_label_values(&[fleet]).set(reason.skew);
        self.forecast_error.with_label_values(&[fleet]).set(forecast_error);
        self.panic.with_label_values(&[fleet]).set(if reason.panic { 1.0 } else { 0.0 });
        // Created at 0, so that the first error is an increase.
        for label in ControllerError::LABELS {
            self.errors.with_label_values(&[fleet, label]).inc_by(0);
        }
    }

    /// Removes the gauges of a deleted fleet. Gauges that were never set are absent already.
    pub(crate) fn forget(&self, fleet: &str) {
        for state in ["asked", "desired", "serving", "arriving", "draining", "silent"] {
            drop(self.gateways.remove_label_values(&[fleet, state]));
        }
        for axis in Axis::ALL {
            drop(self.recommended.remove_label_values(&[fleet, axis.label()]));
        }
        for which in ["all", "waiting", "forecast"] {
            drop(self.viewers.remove_label_values(&[fleet, which]));
        }
        drop(self.skew.remove_label_values(&[fleet]));
        drop(self.forecast_error.remove_label_values(&[fleet]));
        drop(self.panic.remove_label_values(&[fleet]));
    }

    /// Counts each event of a pass by its reason, and the wrong victims.
    pub(crate) fn applied(&self, fleet: &str, applied: &Applied) {
        for event in &applied.events {
            self.actions.with_label_values(&[fleet, event.reason]).inc();
        }
        // Created at 0, so that an alert on any other value has a series to watch.
        self.wrong_victims.with_label_values(&[fleet]).inc_by(applied.wrong_victims as u64);
    }

    pub(crate) fn failed(&self, fleet: &str, reason: &'static str) {
        self.errors.with_label_values(&[fleet, reason]).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use barrage_scaling::{Knee, Memory, Observation, PolicyConfig, decide};

    use super::*;
    use crate::actuate::FleetEvent;

    /// The queries of the dashboards are checked against this list. `WRITE_REFERENCE=1` writes it.
    #[test]
    fn list_for_the_dashboards_is_current() {
        let registry = Registry::new();
        let metrics = ControllerMetrics::new(&registry).unwrap();
        let knee = Knee {
            connections: 1_000.0,
            joins_per_s: 100.0,
            deliveries_per_s: None,
            egress_bytes_per_s: None,
            packets_per_s: None,
            cpu_cores: None,
            memory_bytes: None,
        };
        let observation = Observation { at_secs: 1_000.0, replicas: 2, ..Observation::default() };
        let decision = decide(&PolicyConfig::default(), &knee, &mut Memory::default(), &observation);
        metrics.decided("main", observation.replicas, &decision, 0.0);
        let event = FleetEvent::normal("ScaledUp", String::new());
        metrics.applied("main", &Applied { events: vec![event], ..Applied::default() });
        metrics.failed("main", "api");
        metrics.pass_seconds.observe(0.01);
        metrics.leader.set(1);

        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/check/autoscaler.prom");
        if std::env::var_os("WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == text, "run this test with WRITE_REFERENCE=1 and commit dashboards/check");
    }
}
