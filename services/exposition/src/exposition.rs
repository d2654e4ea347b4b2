use std::sync::Arc;

use prometheus::Registry;

use crate::budget::SeriesBudget;
use crate::config::MetricsConfig;
use crate::encode::encode;
use crate::exemplar::Exemplars;
use crate::format::Format;

/// All metrics of a process, as its `/metrics` answers them. Clones share the state.
#[derive(Debug, Clone)]
pub struct Exposition {
    registry: Registry,
    exemplars: Exemplars,
    budget: Arc<SeriesBudget>,
}

impl Exposition {
    /// Answers with the metrics of `registry` and with `exemplars`.
    #[must_use]
    pub fn new(registry: Registry, exemplars: Exemplars, config: &MetricsConfig) -> Self {
        Exposition { registry, exemplars, budget: Arc::new(SeriesBudget::new(config.series_max)) }
    }

    /// Answers a scrape in the format that its headers `Accept` ask for. Returns the content type and the
    /// body.
    #[must_use]
    pub fn scrape<'a>(&self, accept: impl Iterator<Item = &'a [u8]>) -> (&'static str, String) {
        let values: Vec<_> = accept.filter_map(|value| std::str::from_utf8(value).ok()).collect();
        let format = Format::of(&values.join(","));
        (format.content_type(), self.answer(format))
    }

    /// Writes an answer. Metrics are sorted by name.
    #[must_use]
    pub fn answer(&self, format: Format) -> String {
        let families = self.budget.kept(self.registry.gather());
        encode(&families, &self.exemplars, format)
    }
}
