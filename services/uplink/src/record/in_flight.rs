//! The uplink's account in the conservation ledger: posts in flight, and the fate of each.

use barrage_class::Counts;
use barrage_ledger::{Book, Fate, Ledger};
use barrage_protocol::Class;
use parking_lot::Mutex;

#[derive(Debug)]
struct Account {
    book: Book,
    in_flight: Counts,
}

/// Counts posts into the ledger. Shared by all requests.
#[derive(Debug)]
pub(crate) struct InFlight(Mutex<Account>);

impl InFlight {
    pub(crate) fn new(ledger: &Ledger) -> Self {
        InFlight(Mutex::new(Account { book: ledger.book("uplink"), in_flight: Counts::default() }))
    }

    /// Counts a post as in flight until the returned value ends.
    pub(crate) fn begin(&self, class: Class) -> InFlightPost<'_> {
        let mut account = self.0.lock();
        account.book.took(&Counts::one(class), 1);
        account.in_flight += Counts::one(class);
        InFlightPost { counts: self, class, is_over: false }
    }

    /// Compares the account's sums. Called every second.
    pub(crate) fn settle(&self) {
        let mut account = self.0.lock();
        let in_flight = account.in_flight;
        account.book.settle(&in_flight);
    }
}

/// A post in flight. A post whose request was given up counts as dropped here: if the bus accepts
/// the post all the same, a retry is answered as a duplicate.
#[derive(Debug)]
pub(crate) struct InFlightPost<'a> {
    counts: &'a InFlight,
    class: Class,
    is_over: bool,
}

impl InFlightPost<'_> {
    pub(crate) fn end(mut self, fate: Fate) {
        self.finish(fate);
    }

    fn finish(&mut self, fate: Fate) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let mut account = self.counts.0.lock();
        account.book.became(fate, &Counts::one(self.class), 1);
        account.in_flight = account.in_flight.saturating_sub(Counts::one(self.class));
    }
}

impl Drop for InFlightPost<'_> {
    fn drop(&mut self) {
        self.finish(Fate::LeftOut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_that_is_given_up_leaves_nothing_in_flight() {
        let ledger = Ledger::new(&prometheus::Registry::new()).unwrap();
        let posts = InFlight::new(&ledger);
        let given_up = posts.begin(Class::Chat);
        posts.begin(Class::Gift).end(Fate::PassedOn);
        assert_eq!(posts.0.lock().in_flight, Counts::one(Class::Chat));
        drop(given_up);
        assert_eq!(posts.0.lock().in_flight, Counts::default());
    }
}
