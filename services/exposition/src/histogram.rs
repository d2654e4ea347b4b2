use std::sync::Arc;

use prometheus::Histogram;

use crate::exemplar::{ExemplarSlots, Exemplars};

/// A histogram whose traced observations become exemplars.
///
/// Clones share the histogram and the exemplars. An observation without a trace costs as much as one
/// of the histogram alone.
#[derive(Debug, Clone)]
pub struct TracedHistogram {
    histogram: Histogram,
    slots: Arc<ExemplarSlots>,
}

impl TracedHistogram {
    /// Wraps a histogram with these upper ends of its buckets, in ascending order.
    #[must_use]
    pub fn new(histogram: Histogram, bounds: &[f64]) -> Self {
        TracedHistogram { histogram, slots: Arc::new(ExemplarSlots::new(bounds)) }
    }

    /// Adds the exemplars to those that scrapes show, for the histogram of this name and with these
    /// labels. Without this call, traced observations are counted and their traces are not shown.
    pub fn show_in(&self, exemplars: &Exemplars, name: &str, labels: &[(&str, &str)]) {
        exemplars.add(name, labels, &self.slots);
    }

    /// Counts a value. `trace_id` is the W3C trace id of a sampled message or request.
    pub fn observe(&self, value: f64, trace_id: Option<u128>) {
        self.histogram.observe(value);
        if let Some(trace_id) = trace_id {
            self.slots.keep(value, trace_id);
        }
    }
}
