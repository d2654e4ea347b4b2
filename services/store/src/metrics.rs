//! The Prometheus metrics of a store: the time of its calls.

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};

/// Upper ends of the buckets of calls, in seconds. A call has 10 s by default.
const BUCKETS_S: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Calls of a store, as values of the label `call`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    PutRoom,
    Room,
    Gifts,
    Append,
    ArchivedUpTo,
    History,
    HistoryByOffset,
    DeleteMessages,
    AppendAudit,
    Audit,
    DeleteAudit,
    Ping,
    OpenPoll,
    CastVotes,
    ClosePoll,
    Poll,
    SweepVotes,
}

impl Call {
    const ALL: [Call; 17] = [
        Call::PutRoom,
        Call::Room,
        Call::Gifts,
        Call::Append,
        Call::ArchivedUpTo,
        Call::History,
        Call::HistoryByOffset,
        Call::DeleteMessages,
        Call::AppendAudit,
        Call::Audit,
        Call::DeleteAudit,
        Call::Ping,
        Call::OpenPoll,
        Call::CastVotes,
        Call::ClosePoll,
        Call::Poll,
        Call::SweepVotes,
    ];

    const fn label(self) -> &'static str {
        match self {
            Call::PutRoom => "put_room",
            Call::Room => "room",
            Call::Gifts => "gifts",
            Call::Append => "append",
            Call::ArchivedUpTo => "archived_up_to",
            Call::History => "history",
            Call::HistoryByOffset => "history_by_offset",
            Call::DeleteMessages => "delete_messages",
            Call::AppendAudit => "append_audit",
            Call::Audit => "audit",
            Call::DeleteAudit => "delete_audit",
            Call::Ping => "ping",
            Call::OpenPoll => "open_poll",
            Call::CastVotes => "cast_votes",
            Call::ClosePoll => "close_poll",
            Call::Poll => "poll",
            Call::SweepVotes => "sweep_votes",
        }
    }
}

/// Prometheus handles of the store, registered once per process.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    durations: [Histogram; Call::ALL.len()],
}

impl StoreMetrics {
    /// Registers the metrics on `registry`. Every call has its series from the start.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Time of a call of the store (PostgreSQL or SQLite) until its answer or its failure.";
        let opts = HistogramOpts::new("barrage_store_call_duration_seconds", help);
        let durations = HistogramVec::new(opts.buckets(BUCKETS_S.to_vec()), &["call"])?;
        registry.register(Box::new(durations.clone()))?;
        Ok(StoreMetrics { durations: Call::ALL.map(|call| durations.with_label_values(&[call.label()])) })
    }

    pub(crate) fn duration(&self, call: Call) -> &Histogram {
        &self.durations[call as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_the_series_of_its_name() {
        let registry = Registry::new();
        let metrics = StoreMetrics::new(&registry).unwrap();
        for call in Call::ALL {
            metrics.duration(call).observe(0.001);
        }
        let family = registry.gather().remove(0);
        let counted: Vec<_> =
            family.get_metric().iter().map(|it| it.get_histogram().get_sample_count()).collect();
        assert_eq!(counted, [1; Call::ALL.len()]);
    }
}
