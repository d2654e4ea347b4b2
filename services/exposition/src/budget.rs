use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{IntCounter, Opts};

/// Series of a histogram beside its buckets: the open bucket, the sum and the count.
const BESIDE_BUCKETS: usize = 3;

/// Bound of the series in an answer.
///
/// Law: an answer within the bound is complete. Above it, the metrics share the bound: those with
/// few series are complete, and those with most are cut to the same number of series. A cut metric
/// keeps the label sets that the answer before had, so that its counters do not jump.
#[derive(Debug)]
pub(crate) struct SeriesBudget {
    series_max: usize,
    hasher: RandomState,
    /// Hashes of the label sets in the newest answer. Bounded by `series_max`.
    kept: Mutex<HashSet<u64>>,
    /// Names of cut metrics with a log line. Bounded by the metrics of the process.
    logged: Mutex<HashSet<String>>,
    left_out: IntCounter,
}

impl SeriesBudget {
    pub(crate) fn new(series_max: usize) -> Self {
        let opts = Opts::new(
            "barrage_metric_overflow_total",
            "Label sets left out of answers to scrapes because of metrics.series_max, counted in each answer.",
        );
        SeriesBudget {
            series_max,
            hasher: RandomState::new(),
            kept: Mutex::default(),
            logged: Mutex::default(),
            left_out: IntCounter::with_opts(opts).expect("the name is valid"),
        }
    }

    /// Returns the metrics of one answer, with the counter of label sets that were left out.
    pub(crate) fn kept(&self, mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
        // One series is the counter.
        let mut left = self.series_max.saturating_sub(1);
        let mut before = self.kept.lock();
        let mut kept = HashSet::with_capacity(before.len());
        let mut smallest_first: Vec<_> = families.iter_mut().collect();
        smallest_first.sort_by_cached_key(|family| series_of(family));
        let mut families_left = smallest_first.len();
        for family in smallest_first {
            let share = left / families_left.max(1);
            left -= self.cut(family, share, &before, &mut kept);
            families_left -= 1;
        }
        *before = kept;
        drop(before);
        let counter = self.left_out.collect();
        let place = families.partition_point(|family| family.name() < counter[0].name());
        families.splice(place..place, counter);
        families.retain(|family| !family.get_metric().is_empty());
        families
    }

    /// Cuts a metric to a number of series; returns how many it has then.
    fn cut(
        &self,
        family: &mut MetricFamily,
        series_max: usize,
        before: &HashSet<u64>,
        kept: &mut HashSet<u64>,
    ) -> usize {
        let kind = family.get_field_type();
        let all = series_of(family);
        let name = family.name().to_owned();
        let hash = |metric: &Metric| {
            let labels = metric.get_label().iter().map(|label| (label.name(), label.value()));
            self.hasher.hash_one((&name, labels.collect::<Vec<_>>()))
        };
        if all <= series_max {
            kept.extend(family.get_metric().iter().map(hash));
            return all;
        }
        let mut hashed: Vec<_> =
            family.take_metric().into_iter().map(|metric| (hash(&metric), metric)).collect();
        let sets = hashed.len();
        // The sort is stable: label sets of the answer before come first, in their order.
        hashed.sort_by_key(|(hash, _)| !before.contains(hash));
        let mut series = 0;
        hashed.retain(|(_, metric)| {
            let more = series + series_in(metric, kind);
            let fits = more <= series_max;
            series = if fits { more } else { series };
            fits
        });
        kept.extend(hashed.iter().map(|(hash, _)| hash));
        self.count_left_out(&name, sets - hashed.len());
        family.set_metric(hashed.into_iter().map(|(_, metric)| metric).collect());
        series
    }

    fn count_left_out(&self, metric: &str, label_sets: usize) {
        self.left_out.inc_by(label_sets as u64);
        if self.logged.lock().insert(metric.to_owned()) {
            tracing::warn!(
                metric,
                label_sets,
                series_max = self.series_max,
                "label sets of a metric are left out of scrapes: the process has too many series"
            );
        }
    }
}

/// Returns the series of all label sets of a metric.
fn series_of(family: &MetricFamily) -> usize {
    family.get_metric().iter().map(|metric| series_in(metric, family.get_field_type())).sum()
}

/// Returns the series of one label set.
fn series_in(metric: &Metric, kind: MetricType) -> usize {
    match kind {
        MetricType::HISTOGRAM => metric.get_histogram().get_bucket().len() + BESIDE_BUCKETS,
        MetricType::COUNTER | MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED => 1,
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Registry};

    use super::*;

    /// A registry with a metric of `rooms` label sets, a histogram of 3 × 5 series, and a gauge.
    fn registry(rooms: usize) -> (Registry, IntCounterVec) {
        let registry = Registry::new();
        let by_room = IntCounterVec::new(Opts::new("by_room_total", "By room."), &["room"]).unwrap();
        for room in 0..rooms {
            by_room.with_label_values(&[&format!("r{room:06}")]).inc();
        }
        let opts = HistogramOpts::new("times_seconds", "Times.").buckets(vec![0.1, 1.0]);
        let times = HistogramVec::new(opts, &["class"]).unwrap();
        for class in ["signal", "gift", "chat"] {
            times.with_label_values(&[class]).observe(0.2);
        }
        registry.register(Box::new(by_room.clone())).unwrap();
        registry.register(Box::new(times)).unwrap();
        registry.register(Box::new(IntGauge::new("z", "Last.").unwrap())).unwrap();
        (registry, by_room)
    }

    fn sizes(families: &[MetricFamily]) -> Vec<(&str, usize)> {
        families.iter().map(|family| (family.name(), series_of(family))).collect()
    }

    #[test]
    fn an_answer_within_the_bound_is_complete() {
        let (registry, _) = registry(100);
        let budget = SeriesBudget::new(117);
        let families = budget.kept(registry.gather());
        let counter = ("barrage_metric_overflow_total", 1);
        assert_eq!(sizes(&families), [counter, ("by_room_total", 100), ("times_seconds", 15), ("z", 1)]);
        assert_eq!(budget.left_out.get(), 0);
    }

    #[test]
    fn a_metric_with_a_label_set_for_each_of_100_000_rooms_is_cut_and_the_others_are_complete() {
        let (registry, _) = registry(100_000);
        let budget = SeriesBudget::new(1_500);
        let families = budget.kept(registry.gather());
        assert_eq!(sizes(&families)[1..], [("by_room_total", 1_483), ("times_seconds", 15), ("z", 1)]);
        assert_eq!(families.iter().map(series_of).sum::<usize>(), 1_500);
        assert_eq!(budget.left_out.get(), 100_000 - 1_483);
        budget.kept(registry.gather());
        assert_eq!(budget.left_out.get(), 2 * (100_000 - 1_483));
    }

    #[test]
    fn a_cut_metric_keeps_the_label_sets_of_the_answer_before() {
        let (registry, by_room) = registry(50);
        let budget = SeriesBudget::new(47);
        let labels = || -> Vec<String> {
            let families = budget.kept(registry.gather());
            families[1].get_metric().iter().map(|metric| metric.get_label()[0].value().to_owned()).collect()
        };
        let before = labels();
        assert_eq!(before.len(), 30);
        by_room.with_label_values(&["a new room that sorts first"]).inc();
        assert_eq!(labels(), before);
        by_room.remove_label_values(&["r000000"]).unwrap();
        assert_eq!(labels()[..29], before[1..]);
    }

    #[test]
    fn two_metrics_with_too_many_label_sets_share_the_rest() {
        let (registry, _) = registry(5_000);
        let other = IntCounterVec::new(Opts::new("by_user_total", "By user."), &["user"]).unwrap();
        for user in 0..9_000 {
            other.with_label_values(&[&user.to_string()]).inc();
        }
        registry.register(Box::new(other)).unwrap();
        let families = SeriesBudget::new(1_017).kept(registry.gather());
        assert_eq!(sizes(&families)[1..3], [("by_room_total", 500), ("by_user_total", 500)]);
    }
}
