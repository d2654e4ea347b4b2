//! The controller's metrics. Labels are the fleets, which are objects of the cluster,
//! and words of this program.

use barrage_scaling::{Axis, Decision};
use prometheus::{GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

use super::act::Deeds;

/// Handles.
#[derive(Debug, Clone)]
pub struct ControllerMetrics {
    gateways: GaugeVec,
    recommended: GaugeVec,
    viewers: GaugeVec,
    skew: GaugeVec,
    panic: GaugeVec,
    actions: IntCounterVec,
    errors: IntCounterVec,
    wrong_victims: IntCounterVec,
    pub(super) pass_seconds: Histogram,
    pub(super) leader: IntGauge,
}

impl ControllerMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
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
            HistogramOpts::new("barrage_autoscaler_pass_seconds", "Time of one pass over all fleets.")
                .buckets(prometheus::exponential_buckets(0.005, 2.0, 12)?),
        )?;
        let leader = IntGauge::new("barrage_autoscaler_leader", "1 while this replica leads.")?;
        registry.register(Box::new(pass_seconds.clone()))?;
        registry.register(Box::new(leader.clone()))?;
        Ok(ControllerMetrics {
            gateways: gauge("gateways", "Gateways by state.", &["fleet", "state"])?,
            recommended: gauge(
                "recommended_gateways",
                "Gateways that an axis asks for.",
                &["fleet", "axis"],
            )?,
            viewers: gauge(
                "viewers",
                "Viewers: connected and waiting, waiting, forecast.",
                &["fleet", "which"],
            )?,
            skew: gauge("skew_ratio", "Viewers of the fullest gateway over the mean.", &["fleet"])?,
            panic: gauge("panic", "1 while the crowd outgrows the fleet.", &["fleet"])?,
            actions: counter("actions_total", "Orders that were carried out.", &["fleet", "action"])?,
            errors: counter(
                "errors_total",
                "Passes that ended early, and decisions that were not carried out whole.",
                &["fleet", "reason"],
            )?,
            wrong_victims: counter(
                "wrong_victims_total",
                "Gateways deleted in a victim's place.",
                &["fleet"],
            )?,
            pass_seconds,
            leader,
        })
    }

    pub(super) fn decided(&self, fleet: &str, replicas: u32, decision: &Decision) {
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
        self.panic.with_label_values(&[fleet]).set(if reason.panic { 1.0 } else { 0.0 });
    }

    /// A fleet is gone, and its gauges with it. What was never set need not be removed.
    pub(super) fn forget(&self, fleet: &str) {
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
        drop(self.panic.remove_label_values(&[fleet]));
    }

    pub(super) fn did(&self, fleet: &str, deeds: &Deeds) {
        for note in &deeds.notes {
            self.actions.with_label_values(&[fleet, note.reason]).inc();
        }
        // Created at 0: what must stay 0 has to be there to be watched.
        self.wrong_victims.with_label_values(&[fleet]).inc_by(deeds.wrong_victims as u64);
    }

    pub(super) fn failed(&self, fleet: &str, reason: &'static str) {
        self.errors.with_label_values(&[fleet, reason]).inc();
    }
}
