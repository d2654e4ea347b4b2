use crate::atomics::{AtomicU64, AtomicUsize, Ordering, ordered};

/// Position of a chain that a writer moves, and readers that come meanwhile.
///
/// A reader's side stores its number of waves and then reads the position. The writer stores the position and
/// then reads the numbers. All with `SeqCst`: one of both sees the other's store, so a reader that comes is served
/// by the writer's turn, or has its position already.
#[derive(Debug)]
pub struct Turn {
    position: AtomicU64,
    /// Waves of readers on each side.
    waves: Box<[AtomicUsize]>,
}

impl Turn {
    /// Creates the position 0, and so many sides without readers.
    #[must_use]
    pub fn new(sides: usize) -> Self {
        Turn { position: AtomicU64::new(0), waves: (0..sides).map(|_| AtomicUsize::new(0)).collect() }
    }

    /// Returns the newest position.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::SeqCst)
    }

    /// Moves the position; the writer calls this before it reads the numbers of waves.
    pub fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::SeqCst);
        ordered();
    }

    /// Sets the number of waves of a side, which calls this before a new reader reads the position.
    pub fn set_waves(&self, side: usize, waves: usize) {
        self.waves[side].store(waves, Ordering::SeqCst);
        ordered();
    }

    /// Returns the waves of the side that has most of them.
    #[must_use]
    pub fn waves(&self) -> usize {
        self.waves.iter().map(|waves| waves.load(Ordering::SeqCst)).max().unwrap_or_default()
    }

    /// Returns whether a side has a wave of this number.
    #[must_use]
    pub fn has_wave_on(&self, side: usize, wave: usize) -> bool {
        self.waves[side].load(Ordering::SeqCst) > wave
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn waves_are_those_of_the_side_with_most() {
        let turn = Turn::new(2);
        assert_eq!(turn.waves(), 0);
        turn.set_waves(0, 1);
        turn.set_waves(1, 3);
        turn.set_position(7);
        assert!(turn.has_wave_on(1, 2) && !turn.has_wave_on(0, 1));
        assert_eq!((turn.waves(), turn.position()), (3, 7));
    }
}
