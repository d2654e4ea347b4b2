//! The Prometheus metrics of the archiver: messages archived, lag and failures.

use barrage_protocol::Class;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Prometheus handles of the archiver, registered once per process.
#[derive(Debug, Clone)]
pub struct ArchiverMetrics {
    archived: IntCounterVec,
    pub(crate) lag_messages: IntGauge,
    pub(crate) store_failures: IntCounter,
    pub(crate) bus_failures: IntCounter,
    pub(crate) unreadable: IntCounter,
    pub(crate) deleted: IntCounter,
}

impl ArchiverMetrics {
    /// Registers the metrics on `registry`.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let archived = IntCounterVec::new(
            Opts::new("barrage_archiver_archived_total", "Messages written to the archive."),
            &["class"],
        )?;
        let lag_messages = IntGauge::new(
            "barrage_archiver_lag_messages",
            "Maximum of messages between the archive and the newest durable message, summed over the partitions.",
        )?;
        registry.register(Box::new(archived.clone()))?;
        registry.register(Box::new(lag_messages.clone()))?;
        for class in Class::ALL.into_iter().filter(|class| *class != Class::Pulse) {
            archived.with_label_values(&[class.label()]).inc_by(0);
        }
        Ok(ArchiverMetrics {
            archived,
            lag_messages,
            store_failures: counter(
                "barrage_archiver_store_failures_total",
                "Calls of the store that failed and were retried.",
            )?,
            bus_failures: counter(
                "barrage_archiver_bus_failures_total",
                "Reads of the bus that failed and were retried.",
            )?,
            unreadable: counter(
                "barrage_archiver_unreadable_total",
                "Archived messages whose body did not have the form of its class.",
            )?,
            deleted: counter(
                "barrage_archiver_deleted_total",
                "Archived messages deleted because of their age.",
            )?,
        })
    }

    pub(crate) fn archived(&self, class: Class) -> IntCounter {
        self.archived.with_label_values(&[class.label()])
    }
}
