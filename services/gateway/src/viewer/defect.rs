//! Defect for tests: one delivery disappears without being counted.

use std::sync::atomic::{AtomicBool, Ordering};

static LOSES_NEXT: AtomicBool = AtomicBool::new(false);

pub(crate) fn lose_next_delivery() {
    LOSES_NEXT.store(true, Ordering::SeqCst);
}

pub(super) fn take() -> bool {
    LOSES_NEXT.swap(false, Ordering::SeqCst)
}
