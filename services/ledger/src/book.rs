//! The book of one owner at a stage.

use barrage_class::Counts;

use crate::Ledger;

/// Fate of a message at a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The next stage received it, and accounts for it from there.
    PassedOn,
    /// It was dropped on purpose; the reason is counted at the place that decides.
    LeftOut,
    /// It was kept for the promised time.
    Expired,
}

impl Fate {
    const ALL: [Fate; 3] = [Fate::PassedOn, Fate::LeftOut, Fate::Expired];

    const fn label(self) -> &'static str {
        match self {
            Fate::PassedOn => "passed_on",
            Fate::LeftOut => "left_out",
            Fate::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Fates {
    passed_on: Counts,
    left_out: Counts,
    expired: Counts,
}

impl Fates {
    fn of(&self, fate: Fate) -> &Counts {
        match fate {
            Fate::PassedOn => &self.passed_on,
            Fate::LeftOut => &self.left_out,
            Fate::Expired => &self.expired,
        }
    }

    fn of_mut(&mut self, fate: Fate) -> &mut Counts {
        match fate {
            Fate::PassedOn => &mut self.passed_on,
            Fate::LeftOut => &mut self.left_out,
            Fate::Expired => &mut self.expired,
        }
    }

    fn total(&self) -> Counts {
        self.passed_on + self.left_out + self.expired
    }
}

/// The values that the metrics had after the last settlement.
#[derive(Debug, Default)]
struct Reported {
    took: Counts,
    fates: Fates,
    error: u64,
}

/// One owner's book. Its owner settles it once a second: only the owner can count the messages
/// that it holds at that moment, so that no snapshot across threads is needed.
#[derive(Debug)]
pub struct Book {
    ledger: Ledger,
    stage: &'static str,
    took: Counts,
    fates: Fates,
    reported: Reported,
}

impl Book {
    pub(crate) fn new(ledger: Ledger, stage: &'static str) -> Self {
        Book { ledger, stage, took: Counts::ZERO, fates: Fates::default(), reported: Reported::default() }
    }

    /// Records messages that the stage received, each of them `times` over.
    pub fn took(&mut self, messages: &Counts, times: u64) {
        self.took += *messages * times;
    }

    /// Records the fate of messages, each of them `times` over.
    pub fn became(&mut self, fate: Fate, messages: &Counts, times: u64) {
        *self.fates.of_mut(fate) += *messages * times;
    }

    /// Compares the book with the messages that the owner holds now and updates the metrics.
    /// Returns the number of messages, over all classes, that are unaccounted for or accounted for
    /// twice.
    pub fn settle(&mut self, holds: &Counts) -> u64 {
        let error = self.took.abs_diff(&(*holds + self.fates.total()));
        self.report(error);
        error
    }

    fn report(&mut self, error: u64) {
        self.report_counts("took", self.took, self.reported.took);
        self.reported.took = self.took;
        for fate in Fate::ALL {
            self.report_counts(fate.label(), *self.fates.of(fate), *self.reported.fates.of(fate));
        }
        self.reported.fates = self.fates;
        if error != self.reported.error {
            let gauge = self.ledger.error.with_label_values(&[self.stage]);
            gauge.add(error as i64 - self.reported.error as i64);
            tracing::error!(stage = self.stage, messages = error, "messages are unaccounted for");
            self.reported.error = error;
        }
    }

    fn report_counts(&self, fate: &str, now: Counts, reported: Counts) {
        for (class, (now, reported)) in now.zip(reported).iter() {
            if now > reported {
                let counter = self.ledger.messages.with_label_values(&[self.stage, class.label(), fate]);
                counter.inc_by(now - reported);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_class::ByClass;
    use barrage_protocol::Class;
    use prometheus::Registry;
    use proptest::prelude::*;

    use super::*;

    const fn counts(signal: u64, gift: u64, chat: u64) -> Counts {
        Counts { signal, gift, chat }
    }

    #[test]
    fn a_missing_message_is_an_error_and_a_recorded_drop_is_none() {
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let mut book = ledger.book("hub");
        book.took(&counts(0, 3, 5), 1);
        book.became(Fate::PassedOn, &counts(0, 2, 0), 1);
        book.became(Fate::LeftOut, &Counts::one(Class::Chat), 5);
        assert_eq!(book.settle(&counts(0, 1, 0)), 0);
        assert_eq!(book.settle(&Counts::ZERO), 1, "one gift is unaccounted for");
        assert_eq!(ledger.error(), 1);
        let other = ledger.book("other");
        assert_eq!((ledger.error_of(&[other.stage]), ledger.error_of(&[book.stage])), (0, 1));
        book.became(Fate::Expired, &Counts::one(Class::Gift), 1);
        assert_eq!((book.settle(&Counts::ZERO), ledger.error()), (0, 0));
        book.took(&Counts::one(Class::Pulse), 9);
        assert_eq!(book.settle(&Counts::ZERO), 0, "pulses are not counted");
    }

    proptest! {
        #[test]
        fn the_error_is_the_number_of_missing_messages(
            fates in prop::collection::vec((0_usize..3, 0_usize..5), 0..200),
        ) {
            let ledger = Ledger::new(&Registry::new()).unwrap();
            let mut book = ledger.book("test");
            let mut holds = Counts::ZERO;
            let mut missing = 0;
            for (class, fate) in fates {
                let message = Counts::one(ByClass::<u64>::CLASSES[class]);
                book.took(&message, 1);
                match fate {
                    0..3 => book.became(Fate::ALL[fate], &message, 1),
                    3 => holds += message,
                    _ => missing += 1,
                }
            }
            prop_assert_eq!(book.settle(&holds), missing);
        }
    }
}
