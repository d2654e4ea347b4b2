//! The ledger of a process: the sums of all its books, as metrics.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::{Balance, Book};

/// The ledger of a process. Clones share their metrics.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) messages: IntCounterVec,
    pub(crate) error: IntGaugeVec,
}

impl Ledger {
    /// Registers the metrics on `registry`; fails when they are registered there already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let messages = Opts::new(
            "barrage_ledger_messages_total",
            "Messages by stage, class and fate; the fate `took` counts the messages that a stage received.",
        );
        let messages = IntCounterVec::new(messages, &["stage", "class", "fate"])?;
        let error = Opts::new(
            "barrage_conservation_error",
            "Messages that a stage cannot account for. Anything but 0 is a defect.",
        );
        let error = IntGaugeVec::new(error, &["stage"])?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(error.clone()))?;
        Ok(Ledger { messages, error })
    }

    /// Opens a book for one owner at a stage. The stage's error is exported as 0 from now on.
    #[must_use]
    pub fn book(&self, stage: &'static str) -> Book {
        self.error.with_label_values(&[stage]);
        Book::new(self.clone(), stage)
    }

    /// Opens a balance for one owner at a stage whose units have no class. The stage's error is exported as 0 from
    /// now on.
    #[must_use]
    pub fn balance(&self, stage: &'static str) -> Balance {
        self.error.with_label_values(&[stage]);
        Balance::new(self.clone(), stage)
    }

    /// Returns the sum of some stages' errors: a process may report for several roles.
    #[must_use]
    pub fn error_of(&self, stages: &[&str]) -> u64 {
        let error = |stage: &&str| self.error.with_label_values(&[*stage]).get();
        stages.iter().map(error).map(|error| u64::try_from(error).unwrap_or(0)).sum()
    }

    /// Returns the sum of all stages' errors.
    #[must_use]
    pub fn error(&self) -> u64 {
        let families = self.error.collect();
        let errors = families.iter().flat_map(|family| family.get_metric());
        errors.map(|metric| metric.get_gauge().get_value() as u64).sum()
    }
}
