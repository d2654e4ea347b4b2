use std::collections::HashMap;
use std::sync::Arc;

use barrage_clock::unix_ms;
use parking_lot::{Mutex, RwLock};
use prometheus::proto::Metric;

/// One traced observation of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    /// Trace id of W3C Trace Context.
    pub(crate) trace_id: u128,
    pub(crate) value: f64,
    /// Unix milliseconds of the observation.
    pub(crate) at_ms: u64,
}

/// The newest traced observation of each bucket of one histogram. Its size is that of the buckets.
#[derive(Debug)]
pub(crate) struct ExemplarSlots {
    /// Upper ends of the buckets; one more bucket is open.
    bounds: Box<[f64]>,
    newest: Mutex<Box<[Option<Exemplar>]>>,
}

impl ExemplarSlots {
    pub(crate) fn new(bounds: &[f64]) -> Self {
        ExemplarSlots { bounds: bounds.into(), newest: Mutex::new(vec![None; bounds.len() + 1].into()) }
    }

    /// Keeps an observation in the place of the last one in the same bucket.
    pub(crate) fn keep(&self, value: f64, trace_id: u128) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.newest.lock()[bucket] = Some(Exemplar { trace_id, value, at_ms: unix_ms() });
    }

    /// Returns the newest observation of each bucket, the open bucket last.
    pub(crate) fn newest(&self) -> Box<[Option<Exemplar>]> {
        self.newest.lock().clone()
    }
}

/// The exemplars of a process, by the histograms that they belong to.
#[derive(Debug, Clone, Default)]
pub struct Exemplars {
    by_name: Arc<RwLock<HashMap<String, Vec<Series>>>>,
}

/// Slots of the histogram with these labels, sorted by name.
#[derive(Debug)]
struct Series {
    labels: Vec<(String, String)>,
    slots: Arc<ExemplarSlots>,
}

impl Exemplars {
    pub(crate) fn add(&self, name: &str, labels: &[(&str, &str)], slots: &Arc<ExemplarSlots>) {
        let mut labels: Vec<_> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        let series = Series { labels, slots: Arc::clone(slots) };
        self.by_name.write().entry(name.to_owned()).or_default().push(series);
    }

    /// Returns the exemplars of a histogram of this name, if they are kept.
    pub(crate) fn of(&self, name: &str, metric: &Metric) -> Option<Box<[Option<Exemplar>]>> {
        let has_labels = |series: &&Series| {
            let labels = metric.get_label();
            labels.len() == series.labels.len()
                && labels.iter().zip(&series.labels).all(|(pair, (name, value))| {
                    pair.name() == name.as_str() && pair.value() == value.as_str()
                })
        };
        let by_name = self.by_name.read();
        by_name.get(name)?.iter().find(has_labels).map(|series| series.slots.newest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_keeps_its_newest_observation() {
        let slots = ExemplarSlots::new(&[0.1, 1.0]);
        for (value, trace_id) in [(0.1, 1), (0.05, 2), (5.0, 3)] {
            slots.keep(value, trace_id);
        }
        let newest: Vec<_> = slots.newest().iter().map(|it| it.map(|it| (it.value, it.trace_id))).collect();
        assert_eq!(newest, [Some((0.05, 2)), None, Some((5.0, 3))]);
    }
}
