//! The gateway's metrics; handles are resolved once.

use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Code};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Handles.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    pub(crate) connections: IntGauge,
    pub(crate) rooms: IntGauge,
    pub(crate) joins: IntCounter,
    pub(crate) batches: IntCounter,
    pub(crate) writes: IntCounter,
    pub(crate) sent_bytes: IntCounter,
    pub(crate) backlog_bytes: IntGauge,
    pub(crate) client_frames: IntCounter,
    deliveries: [IntCounter; 4],
    left_out: IntCounterVec,
    closes: IntCounterVec,
    repairs: IntCounterVec,
}

impl GatewayMetrics {
    /// Registers on `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let labelled =
            |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
                let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
                registry.register(Box::new(vec.clone()))?;
                Ok(vec)
            };
        let deliveries = labelled(
            "barrage_gateway_deliveries_total",
            "Messages handed to viewers' sockets or queues.",
            &["class"],
        )?;
        Ok(GatewayMetrics {
            connections: gauge("barrage_gateway_connections", "Viewers now, fallbacks included.")?,
            rooms: gauge("barrage_gateway_rooms", "Rooms subscribed now.")?,
            joins: counter("barrage_gateway_joins_total", "Viewers that got a hello.")?,
            batches: counter("barrage_gateway_batches_total", "Batches built.")?,
            writes: counter("barrage_gateway_writes_total", "Writes to viewers' sockets.")?,
            sent_bytes: counter("barrage_gateway_sent_bytes_total", "Bytes taken by viewers' sockets.")?,
            backlog_bytes: gauge("barrage_gateway_backlog_bytes", "Bytes queued for viewers.")?,
            client_frames: counter("barrage_gateway_client_frames_total", "Frames received from viewers.")?,
            deliveries: Class::ALL.map(|class| deliveries.with_label_values(&[class.label()])),
            left_out: labelled(
                "barrage_gateway_left_out_total",
                "Messages left out of viewers' streams.",
                &["class", "stage", "reason"],
            )?,
            closes: labelled("barrage_gateway_closes_total", "Connections closed by the server.", &["code"])?,
            repairs: labelled(
                "barrage_gateway_repairs_total",
                "Resumes and repairs answered.",
                &["outcome"],
            )?,
        })
    }

    pub(crate) fn delivered(&self, class: Class, messages: u64) {
        self.deliveries[class as usize].inc_by(messages);
    }

    /// The one place where a message that is not delivered is counted.
    pub(crate) fn left_out(&self, class: Class, stage: &'static str, reason: &'static str, messages: u64) {
        self.left_out.with_label_values(&[class.label(), stage, reason]).inc_by(messages);
    }

    pub(crate) fn closed(&self, code: Code) {
        self.closes.with_label_values(&[code.label()]).inc();
    }

    pub(crate) fn repaired(&self, outcome: RepairOutcome) {
        self.repairs.with_label_values(&[outcome.label()]).inc();
    }

    /// Messages delivered so far, all classes; the load report makes a rate of it.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.iter().map(IntCounter::get).sum()
    }
}
