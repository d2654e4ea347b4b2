//! The conservation ledger: nothing disappears without a word. Every stage of a
//! message's way keeps a book of what it took and what became of it; what it took
//! must equal what it passed on, left out, let expire and holds.

use barrage_protocol::Class;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// Classes that have a place in the chain; sums (pulses) may always be left out.
const CLASSES: [Class; 3] = [Class::Signal, Class::Gift, Class::Chat];

/// Messages by class: signal, gift, chat.
pub type Counts = [u64; 3];

/// What becomes of a message at a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The next stage has it.
    PassedOn,
    /// It was left out on purpose; the reason is counted where it was decided.
    LeftOut,
    /// It was kept as long as promised.
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

/// The ledger of a process: the sums of all books, and how far they are off.
#[derive(Debug, Clone)]
pub struct Ledger {
    messages: IntCounterVec,
    error: IntGaugeVec,
}

impl Ledger {
    /// Registers on `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let messages = Opts::new(
            "barrage_ledger_messages_total",
            "Messages by stage, class and what became of them, `took` included.",
        );
        let messages = IntCounterVec::new(messages, &["stage", "class", "fate"])?;
        let error = Opts::new(
            "barrage_conservation_error",
            "Messages of which a stage cannot say what became of them. Anything but 0 is a defect.",
        );
        let error = IntGaugeVec::new(error, &["stage"])?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(error.clone()))?;
        Ok(Ledger { messages, error })
    }

    /// A book for one owner at a stage.
    #[must_use]
    pub fn book(&self, stage: &'static str) -> Book {
        // So that a stage without an error shows as zero.
        self.error.with_label_values(&[stage]);
        Book {
            ledger: self.clone(),
            stage,
            took: Counts::default(),
            fates: Default::default(),
            told: Told::default(),
        }
    }

    /// The sum of some stages' errors, since a process may report several roles.
    #[must_use]
    pub fn error_of(&self, stages: &[&str]) -> u64 {
        let error = |stage: &&str| self.error.with_label_values(&[*stage]).get();
        stages.iter().map(error).map(|error| u64::try_from(error).unwrap_or(0)).sum()
    }

    /// The sum of all stages' errors.
    #[must_use]
    pub fn error(&self) -> u64 {
        use prometheus::core::Collector;
        let families = self.error.collect();
        let errors = families.iter().flat_map(|family| family.get_metric());
        errors.map(|metric| metric.get_gauge().get_value() as u64).sum()
    }
}

/// The counts of one message.
#[must_use]
pub fn one(class: Class) -> Counts {
    CLASSES.map(|counted| u64::from(counted == class))
}

fn add(sum: &mut Counts, messages: &Counts, times: u64) {
    for (sum, messages) in sum.iter_mut().zip(messages) {
        *sum += messages * times;
    }
}

#[derive(Debug, Default)]
struct Told {
    took: Counts,
    fates: [Counts; 3],
    error: u64,
}

/// One owner's book. It is settled once a second by its owner, who alone knows what
/// it holds at that moment; so no snapshot is ever taken across threads.
#[derive(Debug)]
pub struct Book {
    ledger: Ledger,
    stage: &'static str,
    took: Counts,
    fates: [Counts; 3],
    told: Told,
}

impl Book {
    /// The stage took messages, each of them `times` over.
    pub fn took(&mut self, messages: &Counts, times: u64) {
        add(&mut self.took, messages, times);
    }

    /// This became of messages, each of them `times` over.
    pub fn became(&mut self, fate: Fate, messages: &Counts, times: u64) {
        add(&mut self.fates[fate as usize], messages, times);
    }

    /// Compares with what the owner holds now; returns the messages that are
    /// unaccounted for (or accounted for twice), over all classes.
    pub fn settle(&mut self, holds: &Counts) -> u64 {
        let accounted = |at: usize| holds[at] + self.fates.iter().map(|fate| fate[at]).sum::<u64>();
        let error = (0..CLASSES.len()).map(|at| self.took[at].abs_diff(accounted(at))).sum();
        self.tell(error);
        error
    }

    fn tell(&mut self, error: u64) {
        for (at, class) in CLASSES.into_iter().enumerate() {
            let tell = |fate: &str, now: u64, told: &mut u64| {
                if now > *told {
                    let counter = &self.ledger.messages;
                    counter.with_label_values(&[self.stage, class.label(), fate]).inc_by(now - *told);
                    *told = now;
                }
            };
            tell("took", self.took[at], &mut self.told.took[at]);
            for fate in Fate::ALL {
                tell(fate.label(), self.fates[fate as usize][at], &mut self.told.fates[fate as usize][at]);
            }
        }
        if error != self.told.error {
            let gauge = self.ledger.error.with_label_values(&[self.stage]);
            gauge.add(error as i64 - self.told.error as i64);
            tracing::error!(stage = self.stage, messages = error, "messages are unaccounted for");
            self.told.error = error;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_silent_drop_is_found_and_a_stated_one_is_none() {
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let mut book = ledger.book("hub");
        book.took(&[0, 3, 5], 1);
        book.became(Fate::PassedOn, &[0, 2, 0], 1);
        book.became(Fate::LeftOut, &one(Class::Chat), 5);
        assert_eq!(book.settle(&[0, 1, 0]), 0);
        assert_eq!(book.settle(&[0, 0, 0]), 1, "one gift is nowhere");
        assert_eq!(ledger.error(), 1);
        let other = ledger.book("other");
        assert_eq!((ledger.error_of(&[other.stage]), ledger.error_of(&[book.stage])), (0, 1));
        book.became(Fate::Expired, &one(Class::Gift), 1);
        assert_eq!((book.settle(&[0, 0, 0]), ledger.error()), (0, 0));
        book.took(&one(Class::Pulse), 9);
        assert_eq!(book.settle(&[0, 0, 0]), 0, "sums are not counted");
    }

    proptest! {
        /// The error is what is lost plus what is doubled, per class.
        #[test]
        fn the_error_is_what_is_missing(fates in prop::collection::vec((0_usize..3, 0_usize..5), 0..200)) {
            let ledger = Ledger::new(&Registry::new()).unwrap();
            let mut book = ledger.book("test");
            let mut holds = Counts::default();
            let mut off = 0;
            for (at, fate) in fates {
                let message = one(CLASSES[at]);
                book.took(&message, 1);
                match fate {
                    0..3 => book.became(Fate::ALL[fate], &message, 1),
                    3 => holds[at] += 1,
                    _ => off += 1,
                }
            }
            prop_assert_eq!(book.settle(&holds), off);
        }
    }
}
