use std::cell::Cell;

const CLEAR: u8 = 1;
const HIDDEN: u8 = 2;

/// Two facts that each delivery reads, in one byte of the viewer's first line of cache.
#[derive(Debug)]
pub(crate) struct Marks(Cell<u8>);

impl Marks {
    /// Starts with a viewer that is clear and sees what arrives.
    pub(crate) const fn new() -> Self {
        Marks(Cell::new(CLEAR))
    }

    /// Whether nothing is queued and nothing held. A copy: the queue itself lies in another line of cache.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.0.get() & CLEAR > 0
    }

    pub(crate) fn set_clear(&self, is_clear: bool) {
        self.set(CLEAR, is_clear);
    }

    /// Whether the user sees nothing: chat is counted instead of sent.
    #[inline]
    pub(crate) fn is_hidden(&self) -> bool {
        self.0.get() & HIDDEN > 0
    }

    pub(crate) fn set_hidden(&self, is_hidden: bool) {
        self.set(HIDDEN, is_hidden);
    }

    fn set(&self, mark: u8, on: bool) {
        let others = self.0.get() & !mark;
        self.0.set(if on { others | mark } else { others });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_change_one_by_one() {
        let marks = Marks::new();
        assert!(marks.is_clear() && !marks.is_hidden());
        marks.set_hidden(true);
        assert!(marks.is_clear() && marks.is_hidden());
        marks.set_clear(false);
        assert!(!marks.is_clear() && marks.is_hidden());
        marks.set_hidden(false);
        marks.set_clear(true);
        assert!(marks.is_clear() && !marks.is_hidden());
    }
}
