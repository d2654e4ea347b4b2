use crate::atomics::{AtomicBool, Ordering, ordered};

/// Whether the reader of some figures rests, so that those who change a figure wake it.
///
/// The reader sets the flag before it reads the figures. A change is stored before [`RestFlag::stir`] reads the
/// flag. All with `SeqCst`: one of both sees the other's store, so no change is missed by a reader that rests.
#[derive(Debug)]
pub struct RestFlag(AtomicBool);

/// What who changed a figure has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Stir {
    /// The reader is awake, or somebody else wakes it.
    Nothing,
    /// Wake the reader: nobody else does.
    Wake,
}

impl RestFlag {
    /// Creates the flag of a reader that is awake.
    #[must_use]
    pub fn awake() -> Self {
        RestFlag(AtomicBool::new(false))
    }

    /// Sets whether the reader rests. It does so before it reads the figures.
    pub fn set(&self, is_at_rest: bool) {
        self.0.store(is_at_rest, Ordering::SeqCst);
        ordered();
    }

    /// Returns whether the reader is to be woken; to one of several callers alone. Call it after a change.
    pub fn stir(&self) -> Stir {
        ordered();
        if self.0.load(Ordering::SeqCst) && self.0.swap(false, Ordering::SeqCst) {
            Stir::Wake
        } else {
            Stir::Nothing
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_change_wakes_a_reader_at_rest() {
        let flag = RestFlag::awake();
        assert_eq!(flag.stir(), Stir::Nothing);
        flag.set(true);
        assert_eq!((flag.stir(), flag.stir()), (Stir::Wake, Stir::Nothing));
    }
}
