use barrage_class::Counts;
use barrage_ledger::{Book, Fate, Ledger};
use barrage_protocol::Class;

/// Accounts of one hub: the conservation of a room's messages up to the shards.
pub(super) struct HubBooks {
    /// Messages taken from the chain and not yet given to waves or dropped.
    chain: Book,
    /// Messages that each wave is to be sent.
    waves: Book,
    /// Batches on their way to the shards.
    fan_out: Book,
    /// Messages that the shards had delivered at the last settlement.
    delivered: Counts,
}

impl HubBooks {
    pub(super) fn new(ledger: &Ledger) -> Self {
        HubBooks {
            chain: ledger.book("hub"),
            waves: ledger.book("waves"),
            fan_out: ledger.book("fan_out"),
            delivered: Counts::default(),
        }
    }

    /// The hub took a message of the chain.
    pub(super) fn took(&mut self, class: Class) {
        self.chain.took(&Counts::one(class), 1);
    }

    /// The hub dropped chat for all viewers alike.
    pub(super) fn dropped_chat(&mut self, messages: u64) {
        self.chain.became(Fate::LeftOut, &Counts::one(Class::Chat), messages);
    }

    /// The number of waves changed: messages waited for new waves, and for waves that are gone.
    pub(super) fn resized(&mut self, took: &Counts, gone: &Counts) {
        self.waves.took(took, 1);
        self.waves.became(Fate::LeftOut, gone, 1);
    }

    /// The open messages were given to all waves.
    pub(super) fn gathered(&mut self, messages: &Counts, waves: usize) {
        self.chain.became(Fate::PassedOn, messages, 1);
        self.waves.took(messages, waves as u64);
    }

    /// One wave's batch was built, with these messages.
    pub(super) fn batched(&mut self, messages: &Counts) {
        self.waves.became(Fate::PassedOn, messages, 1);
    }

    /// A shard took the batch into its queue.
    pub(super) fn sent(&mut self, messages: &Counts) {
        self.fan_out.took(messages, 1);
    }

    /// Compares the accounts with the messages that wait in the hub. `delivered` is `None` while a
    /// batch is in flight: the fan-out is then settled the next time.
    pub(super) fn settle(&mut self, open: &Counts, in_waves: &Counts, delivered: Option<Counts>) {
        self.chain.settle(open);
        self.waves.settle(in_waves);
        if let Some(delivered) = delivered {
            let news = delivered.saturating_sub(self.delivered);
            self.fan_out.became(Fate::PassedOn, &news, 1);
            self.delivered = delivered;
            self.fan_out.settle(&Counts::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn messages_are_followed_from_the_chain_to_the_shards() {
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let mut books = HubBooks::new(&ledger);
        books.took(Class::Gift);
        books.took(Class::Chat);
        books.settle(&Counts::new(0, 1, 1), &Counts::new(0, 0, 0), None);
        books.dropped_chat(1);
        books.gathered(&Counts::new(0, 1, 0), 2);
        books.settle(&Counts::new(0, 0, 0), &Counts::new(0, 2, 0), None);
        books.batched(&Counts::new(0, 1, 0));
        books.sent(&Counts::new(0, 1, 0));
        books.settle(&Counts::new(0, 0, 0), &Counts::new(0, 1, 0), Some(Counts::new(0, 1, 0)));
        assert_eq!(ledger.error(), 0);
        books.resized(&Counts::new(0, 0, 0), &Counts::new(0, 1, 0));
        books.sent(&Counts::new(0, 1, 0));
        books.settle(&Counts::new(0, 0, 0), &Counts::new(0, 0, 0), Some(Counts::new(0, 1, 0)));
        assert_eq!(ledger.error(), 1, "a shard lost a batch");
    }
}
