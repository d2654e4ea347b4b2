//! Prometheus metrics of the bus: publishes, failures, lost connections and gaps.

use barrage_protocol::Class;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Prometheus handles, registered once per process. The embedded engine leaves disconnects, slow
/// subscriptions and gaps at zero.
#[derive(Debug, Clone)]
pub struct BusMetrics {
    pub(crate) publish_duration_seconds: Histogram,
    pub(crate) commit_messages: Histogram,
    pub(crate) refused_full: IntCounter,
    pub(crate) log_failures: IntCounter,
    pub(crate) disconnects: IntCounter,
    pub(crate) slow_subscriptions: IntCounter,
    pub(crate) gaps: IntCounter,
    pub(crate) rooms_to_move: IntGauge,
    pub(crate) rooms_moved: IntCounter,
    published: ByClass,
    duplicates: ByClass,
}

/// Counters of the classes that have a sequence, resolved once.
#[derive(Debug, Clone)]
struct ByClass {
    signal: IntCounter,
    gift: IntCounter,
    chat: IntCounter,
}

impl ByClass {
    fn new(of: &IntCounterVec) -> Self {
        let counter = |class: Class| of.with_label_values(&[class.label()]);
        ByClass { signal: counter(Class::Signal), gift: counter(Class::Gift), chat: counter(Class::Chat) }
    }

    fn of(&self, class: Class) -> &IntCounter {
        match class {
            Class::Signal => &self.signal,
            Class::Gift => &self.gift,
            // A pulse has no sequence and is never published here.
            Class::Chat | Class::Pulse => &self.chat,
        }
    }
}

impl BusMetrics {
    /// Registers the metrics on `registry`; fails when they are registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let published = IntCounterVec::new(
            Opts::new("barrage_bus_published_total", "Messages accepted durably."),
            &["class"],
        )?;
        let duplicates = IntCounterVec::new(
            Opts::new("barrage_bus_duplicates_total", "Publishes of an id that the bus had already."),
            &["class"],
        )?;
        let publish_duration_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_bus_publish_duration_seconds",
                "Time from the call of publish until the messages are durable.",
            )
            // Up to 13 s: a publish is tried for `nats.publish_deadline_ms`, 8 s by default.
            .buckets(prometheus::exponential_buckets(0.000_1, 2.0, 18)?),
        )?;
        let commit_messages = Histogram::with_opts(
            HistogramOpts::new("barrage_bus_commit_messages", "Messages per commit of the log.")
                .buckets(prometheus::exponential_buckets(1.0, 2.0, 12)?),
        )?;
        let refused_full =
            IntCounter::new("barrage_bus_refused_total", "Publishes refused because the queue was full.")?;
        let log_failures =
            IntCounter::new("barrage_bus_log_failures_total", "Commits of the log that failed.")?;
        let disconnects = IntCounter::new("barrage_bus_disconnects_total", "Lost connections to the bus.")?;
        let slow_subscriptions = IntCounter::new(
            "barrage_bus_slow_subscriptions_total",
            "Messages that found their channel full and were read again from the bus.",
        )?;
        let gaps = IntCounter::new(
            "barrage_bus_gaps_total",
            "Gaps before a message whose missing messages were read from the bus.",
        )?;
        let rooms_to_move = IntGauge::new(
            "barrage_bus_rooms_to_move",
            "Rooms that are not in their partition yet; uplinks move them.",
        )?;
        let rooms_moved = IntCounter::new(
            "barrage_bus_rooms_moved_total",
            "Rooms that this process moved to another partition.",
        )?;
        registry.register(Box::new(rooms_to_move.clone()))?;
        registry.register(Box::new(rooms_moved.clone()))?;
        registry.register(Box::new(published.clone()))?;
        registry.register(Box::new(duplicates.clone()))?;
        registry.register(Box::new(publish_duration_seconds.clone()))?;
        registry.register(Box::new(commit_messages.clone()))?;
        registry.register(Box::new(refused_full.clone()))?;
        registry.register(Box::new(log_failures.clone()))?;
        registry.register(Box::new(disconnects.clone()))?;
        registry.register(Box::new(slow_subscriptions.clone()))?;
        registry.register(Box::new(gaps.clone()))?;
        Ok(BusMetrics {
            publish_duration_seconds,
            commit_messages,
            refused_full,
            log_failures,
            disconnects,
            slow_subscriptions,
            gaps,
            rooms_to_move,
            rooms_moved,
            published: ByClass::new(&published),
            duplicates: ByClass::new(&duplicates),
        })
    }

    pub(crate) fn published(&self, class: Class) -> &IntCounter {
        self.published.of(class)
    }

    pub(crate) fn duplicate(&self, class: Class) -> &IntCounter {
        self.duplicates.of(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_exported_before_the_first_message_and_latency_buckets_reach_ten_seconds() {
        let registry = Registry::new();
        BusMetrics::new(&registry).unwrap();
        let families = registry.gather();
        for name in ["barrage_bus_published_total", "barrage_bus_duplicates_total"] {
            let family = families.iter().find(|family| family.name() == name).expect(name);
            assert_eq!(family.get_metric().len(), 3, "{name}: signal, gift, chat");
        }
        let name = "barrage_bus_publish_duration_seconds";
        let family = families.iter().find(|family| family.name() == name).expect(name);
        let last = family.get_metric()[0].get_histogram().get_bucket().last().unwrap().upper_bound();
        assert!(last >= 10.0, "{last}");
    }
}
