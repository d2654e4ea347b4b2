//! The uplink's page of the conservation ledger: posts taken, and what became of
//! each.

use std::sync::{Mutex, MutexGuard, PoisonError};

use barrage_flow::{Book, Counts, Fate, Ledger, ledger};
use barrage_protocol::Class;

#[derive(Debug)]
struct Page {
    book: Book,
    /// Posts under way.
    holds: Counts,
}

/// The page, shared by all requests.
#[derive(Debug)]
pub(crate) struct Account(Mutex<Page>);

impl Account {
    pub(crate) fn new(ledger: &Ledger) -> Self {
        Account(Mutex::new(Page { book: ledger.book("uplink"), holds: Counts::default() }))
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A post is under way.
    pub(crate) fn take(&self, class: Class) -> Passage<'_> {
        let mut page = self.page();
        page.book.took(&ledger::one(class), 1);
        add(&mut page.holds, class, 1);
        Passage { account: self, class, is_over: false }
    }

    /// Compares; to be called every second.
    pub(crate) fn settle(&self) {
        let mut page = self.page();
        let holds = page.holds;
        page.book.settle(&holds);
    }
}

fn add(counts: &mut Counts, class: Class, messages: i64) {
    for (sum, one) in counts.iter_mut().zip(ledger::one(class)) {
        *sum = sum.saturating_add_signed(messages * i64::try_from(one).unwrap_or(0));
    }
}

/// A post under way. One whose request was given up counts as left out here: if the
/// bus takes it all the same, its retry is told so.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    account: &'a Account,
    class: Class,
    is_over: bool,
}

impl Passage<'_> {
    pub(crate) fn end(mut self, fate: Fate) {
        self.over(fate);
    }

    fn over(&mut self, fate: Fate) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let mut page = self.account.page();
        page.book.became(fate, &ledger::one(self.class), 1);
        add(&mut page.holds, self.class, -1);
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.over(Fate::LeftOut);
    }
}
