use crate::atomics::{AtomicU64, Ordering};

/// Number of places that are taken, and how many there are.
#[derive(Debug)]
pub struct PlaceCount {
    taken: AtomicU64,
    max: u64,
}

/// Whether a place was free. In both cases the caller gives it back with [`PlaceCount::give_back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// The place is the caller's.
    Free,
    /// All places are taken: the caller gives this one back at once.
    Full,
}

impl PlaceCount {
    /// Creates `max` free places.
    #[must_use]
    pub fn new(max: u64) -> Self {
        PlaceCount { taken: AtomicU64::new(0), max }
    }

    /// Takes a place. At most `max` callers at a time are answered [`Taken::Free`]. A caller may find all taken
    /// while another one gives back a place that it did not get.
    pub fn take(&self) -> Taken {
        // The count alone is shared, so that no order with other variables is needed.
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.max { Taken::Full } else { Taken::Free }
    }

    /// Gives a place back.
    pub fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns how many places are taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_end_and_come_back() {
        let places = PlaceCount::new(1);
        assert_eq!((places.take(), places.take(), places.taken()), (Taken::Free, Taken::Full, 2));
        places.give_back();
        places.give_back();
        assert_eq!((places.taken(), places.take()), (0, Taken::Free));
    }
}
