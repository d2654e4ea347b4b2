//! The balance of one owner at a stage whose units have no class.

use crate::Ledger;

/// Compares what an owner took with what became of it. A difference counts as an error of the stage.
#[derive(Debug)]
pub struct Balance {
    ledger: Ledger,
    stage: &'static str,
    reported: u64,
}

impl Balance {
    pub(crate) fn new(ledger: Ledger, stage: &'static str) -> Self {
        Balance { ledger, stage, reported: 0 }
    }

    /// Compares the units taken with those that have a fate or are held. Returns the difference.
    pub fn settle(&mut self, took: u64, accounted: u64) -> u64 {
        let error = took.abs_diff(accounted);
        if error != self.reported {
            let gauge = self.ledger.error.with_label_values(&[self.stage]);
            gauge.add(error as i64 - self.reported as i64);
            tracing::error!(stage = self.stage, units = error, "units are unaccounted for");
            self.reported = error;
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn difference_is_an_error_of_the_stage_until_it_is_gone() {
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let (mut one, mut other) = (ledger.balance("mail"), ledger.balance("mail"));
        assert_eq!((one.settle(5, 5), ledger.error()), (0, 0));
        assert_eq!((one.settle(7, 5), other.settle(1, 2), ledger.error_of(&["mail"])), (2, 1, 3));
        assert_eq!((one.settle(8, 8), ledger.error()), (0, 1));
    }
}
