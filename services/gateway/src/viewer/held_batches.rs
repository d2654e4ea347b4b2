use std::cell::RefCell;
use std::sync::Arc;

use crate::room::SharedBatch;

/// Batches held for a viewer while its resume is read; beyond, the viewer must reconnect.
pub(super) const HELD_BATCHES_MAX: usize = 256;

/// Batches that came while a viewer's join was under way; `None` once it is done.
#[derive(Debug, Default)]
pub(super) struct HeldBatches(RefCell<Option<Vec<Arc<SharedBatch>>>>);

/// What became of a batch that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// No join is under way: the caller delivers the batch.
    Passed,
    Held,
    /// [`HELD_BATCHES_MAX`] are held already: the batch is not.
    TooMany,
}

impl HeldBatches {
    /// Begins to hold batches.
    pub(super) fn start(&self) {
        *self.0.borrow_mut() = Some(Vec::new());
    }

    /// Ends the holding; returns the held batches, oldest first.
    pub(super) fn end(&self) -> Vec<Arc<SharedBatch>> {
        self.0.borrow_mut().take().unwrap_or_default()
    }

    /// Returns whether a batch would be held now.
    pub(super) fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Holds the batch while a join is under way.
    pub(super) fn offer(&self, batch: &Arc<SharedBatch>) -> Offered {
        match self.0.borrow_mut().as_mut() {
            None => Offered::Passed,
            Some(held) if held.len() < HELD_BATCHES_MAX => {
                held.push(Arc::clone(batch));
                Offered::Held
            }
            Some(_) => Offered::TooMany,
        }
    }
}
