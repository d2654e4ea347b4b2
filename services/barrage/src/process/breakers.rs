//! Switches of operators in this process: forced circuit breakers, and which switches are set.

use std::sync::Arc;

use barrage_bus::{Bus, Switches};
use barrage_guarded::Guarded;
use barrage_moderation::Moderator;
use prometheus::{IntGaugeVec, Opts, Registry};

/// Gauge of each switch, for dashboards and their annotations.
#[derive(Debug, Clone)]
pub(super) struct SwitchMetrics(IntGaugeVec);

impl SwitchMetrics {
    /// Registers the gauge on `registry`, with a series at 0 for each switch.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let help = "1 while an operator has set the switch to another value than its default.";
        let gauges = IntGaugeVec::new(Opts::new("barrage_switch_on", help), &["switch"])?;
        registry.register(Box::new(gauges.clone()))?;
        let metrics = SwitchMetrics(gauges);
        metrics.set(&Switches::default());
        Ok(metrics)
    }

    fn set(&self, switches: &Switches) {
        for (now, default) in switches.list().iter().zip(Switches::default().list()) {
            self.0.with_label_values(&[&now.name]).set((now.value != default.value).into());
        }
    }
}

/// Circuit breakers of this process that switches can force.
pub(crate) struct Breakers {
    /// Breaker before Redis, where limits are shared.
    pub(crate) redis: Option<Arc<Guarded>>,
    /// Owner of the breaker before the moderation hook.
    pub(crate) moderator: Arc<Moderator>,
}

impl Breakers {
    /// Applies the switches now and after each change, until the bus is closed.
    pub(super) async fn follow_switches(self, bus: Arc<dyn Bus>, metrics: SwitchMetrics) {
        let mut settings = bus.settings();
        loop {
            let switches = settings.borrow_and_update().switches.clone();
            metrics.set(&switches);
            if let Some(redis) = &self.redis {
                redis.force(switches.redis);
            }
            if let Some(hook) = self.moderator.hook_breaker() {
                hook.force(switches.moderation_hook);
            }
            if settings.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn switch_is_on_while_it_differs_from_its_default() {
        let registry = Registry::new();
        let metrics = SwitchMetrics::new(&registry).unwrap();
        let value = |name: &str| metrics.0.with_label_values(&[name]).get();
        assert_eq!(registry.gather()[0].get_metric().len(), Switches::default().list().len());
        metrics.set(&Switches::default().with("redis", json!("open")).unwrap());
        assert_eq!((value("redis"), value("read-only")), (1, 0));
        metrics.set(&Switches::default());
        assert_eq!(value("redis"), 0);
    }
}
