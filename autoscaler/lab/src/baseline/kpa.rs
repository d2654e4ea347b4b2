//! Knative's pod autoscaler, with its stable window and its panic window.

use barrage_scaling::Series;
use std::time::Duration;

/// Configuration of Knative's pod autoscaler, in Knative's own terms.
#[derive(Debug, Clone, PartialEq)]
pub struct KpaConfig {
    /// Target of concurrent viewers on one pod.
    pub target: f64,
    /// Fewest pods that the autoscaler asks for.
    pub replicas_min: u32,
    /// Most pods that the autoscaler asks for.
    pub replicas_max: u32,
    /// Length of the stable window, in seconds. Knative's default: 60.
    pub stable_secs: f64,
    /// Length of the panic window, in seconds. Knative's default: 6.
    pub panic_secs: f64,
    /// Panic begins when the panic window asks for this multiple of the ready pods.
    pub panic_threshold: f64,
    /// Most growth in one step, as a factor.
    pub up_rate: f64,
    /// Most shrinking in one step, as a divisor.
    pub down_rate: f64,
}

impl KpaConfig {
    /// Knative's defaults for pods that carry `capacity` at most; the target is 70 % of it.
    #[must_use]
    pub fn new(capacity: f64, replicas_min: u32, replicas_max: u32) -> Self {
        KpaConfig {
            target: 0.7 * capacity,
            replicas_min,
            replicas_max,
            stable_secs: 60.0,
            panic_secs: 6.0,
            panic_threshold: 2.0,
            up_rate: 1_000.0,
            down_rate: 2.0,
        }
    }
}

/// Knative's pod autoscaler, with the history that its windows average.
#[derive(Debug, Clone)]
pub struct Kpa {
    config: KpaConfig,
    concurrency: Series,
    panic_since: Option<f64>,
    panic_most: u32,
}

impl Kpa {
    /// An autoscaler after a restart. With more than one ready pod it begins in panic, because its
    /// history is lost.
    #[must_use]
    pub fn new(config: KpaConfig, ready: u32) -> Self {
        let panic_since = (ready > 1).then_some(0.0);
        Kpa { config, concurrency: Series::default(), panic_since, panic_most: ready }
    }

    /// Returns the pods to have, from the concurrency of all pods together. The caller calls it
    /// every 2 s.
    pub fn tick(&mut self, concurrency: f64, ready: u32, now_secs: f64) -> u32 {
        let config = &self.config;
        let now = Duration::try_from_secs_f64(now_secs).unwrap_or_default();
        self.concurrency.push(now, concurrency, config.stable_secs);
        let ready_pods = f64::from(ready.max(1));
        let most = (config.up_rate * ready_pods).ceil();
        let least = (ready_pods / config.down_rate).floor();
        let want = |secs| (self.concurrency.mean(secs) / config.target).ceil().clamp(least, most);
        let (stable, panic) = (want(config.stable_secs) as u32, want(config.panic_secs) as u32);
        if (self.concurrency.mean(config.panic_secs) / config.target).ceil() / ready_pods
            >= config.panic_threshold
        {
            self.panic_since = Some(now_secs);
        } else if self.panic_since.is_some_and(|since| now_secs >= since + config.stable_secs) {
            self.panic_since = None;
            self.panic_most = 0;
        }
        let wanted = if self.panic_since.is_some() {
            self.panic_most = self.panic_most.max(stable).max(panic);
            self.panic_most
        } else {
            stable
        };
        wanted.clamp(config.replicas_min, config.replicas_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kpa() -> Kpa {
        Kpa::new(KpaConfig::new(100.0, 1, 1_000), 1)
    }

    #[test]
    fn kpa_follows_the_mean_of_the_stable_window() {
        let mut kpa = kpa();
        let wanted: Vec<u32> = (0..60).map(|n| kpa.tick(140.0, 2, f64::from(2 * n))).collect();
        assert!(wanted.iter().all(|pods| *pods == 2), "{wanted:?}");
    }

    #[test]
    fn kpa_panics_at_twice_the_ready_pods_and_never_shrinks_in_panic() {
        let mut kpa = kpa();
        (0..30).for_each(|n| assert_eq!(kpa.tick(70.0, 1, f64::from(2 * n)), 1));
        assert!(kpa.tick(7_000.0, 1, 60.0) > 20);
        let high = kpa.tick(7_000.0, 1, 62.0);
        for n in 0..20 {
            assert!(kpa.tick(0.0, high, 64.0 + f64::from(2 * n)) >= high);
        }
        let calm: Vec<u32> = (0..60).map(|n| kpa.tick(0.0, high, 104.0 + f64::from(2 * n))).collect();
        assert!(calm.last().is_some_and(|pods| *pods == high / 2));
    }
}
