use barrage_class::Counts;
use barrage_ledger::{Book, Fate};
use barrage_protocol::Class;

use crate::metrics::GatewayMetrics;
use crate::room::{SharedBatch, Tally};

/// Accounts of one shard: metrics, and the conservation of messages that were due to viewers.
pub(super) struct Books {
    metrics: GatewayMetrics,
    viewers: Book,
}

impl Books {
    pub(super) fn new(metrics: &GatewayMetrics) -> Self {
        Books { viewers: metrics.ledger.book("viewers"), metrics: metrics.clone() }
    }

    /// Accounts for one batch that was offered to viewers.
    pub(super) fn count(&mut self, batch: &SharedBatch, tally: &Tally) {
        for (class, messages) in batch.counts.iter() {
            self.metrics.delivered(class, messages * tally.viewers);
        }
        self.metrics.writes.inc_by(tally.writes);
        self.metrics.sent_bytes.inc_by(tally.bytes);
        self.metrics.backlog_bytes.add(tally.queued_bytes);
        self.viewers.took(&batch.counts, tally.viewers);
        self.viewers.became(Fate::PassedOn, &batch.counts, tally.written - tally.hidden_written);
        if tally.hidden > 0 {
            self.viewers.became(Fate::PassedOn, &batch.counts.without_chat(), tally.hidden_written);
            self.dropped("hidden", &Counts::one(Class::Chat), batch.chat() * tally.hidden);
        }
        if tally.gone > 0 {
            self.dropped("gone", &batch.counts, tally.gone);
        }
        if tally.dropped_chat > 0 {
            self.dropped("slow", &Counts::one(Class::Chat), tally.dropped_chat);
        }
        if tally.overflowed > 0 {
            // The chat of these viewers is among the dropped chat already.
            self.dropped("slow", &batch.counts.without_chat(), tally.overflowed);
        }
    }

    /// Accounts for queued frames that were written.
    pub(super) fn count_flush(&mut self, bytes: u64, queued_change: i64, messages: &Counts) {
        self.metrics.sent_bytes.inc_by(bytes);
        self.metrics.backlog_bytes.add(queued_change);
        self.viewers.became(Fate::PassedOn, messages, 1);
    }

    /// Accounts for the queue of a viewer that has gone.
    pub(super) fn count_gone(&mut self, reported_bytes: i64, messages: &Counts) {
        self.metrics.backlog_bytes.sub(reported_bytes);
        self.dropped("gone", messages, 1);
    }

    fn dropped(&mut self, reason: &'static str, messages: &Counts, times: u64) {
        self.viewers.became(Fate::LeftOut, messages, times);
        for (class, messages) in messages.iter().filter(|(_, messages)| **messages > 0) {
            self.metrics.dropped(class, "viewer", reason, messages * times);
        }
    }

    /// Compares the account with the messages that are queued; a difference is a defect.
    pub(super) fn settle(&mut self, queued: &Counts) {
        self.viewers.settle(queued);
    }
}

#[cfg(test)]
mod tests {
    use barrage_ledger::Ledger;
    use prometheus::Registry;

    use super::*;
    use crate::room::batch_of;

    #[test]
    fn chat_that_hidden_viewers_do_not_get_is_dropped_as_hidden() {
        let registry = Registry::new();
        let ledger = Ledger::new(&registry).unwrap();
        let mut books = Books::new(&GatewayMetrics::new(&registry, ledger.clone()).unwrap());
        let batch = batch_of(0, &[Class::Gift, Class::Chat, Class::Chat]);
        // Three viewers see the batch, and two are hidden: one of them has the gift in its queue.
        let tally =
            Tally { viewers: 5, written: 4, queued: 1, hidden: 2, hidden_written: 1, ..Tally::default() };
        books.count(&batch, &tally);
        books.settle(&Counts::new(0, 1, 0));
        assert_eq!(ledger.error(), 0);
        let families = registry.gather();
        let dropped = families.iter().find(|it| it.name() == "barrage_gateway_left_out_total").unwrap();
        let is_hidden =
            |it: &&prometheus::proto::Metric| it.get_label().iter().any(|it| it.value() == "hidden");
        let hidden = dropped.get_metric().iter().find(is_hidden).unwrap();
        assert!((hidden.get_counter().get_value() - 4.0).abs() < f64::EPSILON);
    }

    #[test]
    fn each_message_is_written_queued_or_dropped() {
        let registry = Registry::new();
        let ledger = Ledger::new(&registry).unwrap();
        let mut books = Books::new(&GatewayMetrics::new(&registry, ledger.clone()).unwrap());
        let batch = batch_of(0, &[Class::Gift, Class::Chat, Class::Chat]);
        let tally = Tally {
            viewers: 6,
            written: 3,
            queued: 2,
            gone: 1,
            dropped_chat: 2,
            overflowed: 1,
            ..Tally::default()
        };
        books.count(&batch, &tally);
        // One of the two queued viewers lost all, the other one keeps all.
        books.settle(&Counts::new(0, 1, 2));
        assert_eq!(ledger.error(), 0);
        books.count_flush(100, 0, &Counts::new(0, 1, 0));
        books.count_gone(0, &Counts::new(0, 0, 2));
        books.settle(&Counts::default());
        assert_eq!(ledger.error(), 0);
        books.settle(&Counts::new(0, 1, 0));
        assert_eq!(ledger.error(), 1, "a message that no account has");
    }
}
