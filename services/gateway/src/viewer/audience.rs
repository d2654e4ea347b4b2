use std::cell::Cell;
use std::rc::Rc;

/// Waves of a room on one shard at most; full waves grow beyond their size.
const WAVES_MAX: usize = 16;

/// Wave of a viewer, and its index in the wave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    wave: u32,
    index: u32,
}

impl Place {
    /// A shard has fewer viewers than 32 bits count.
    fn at(wave: usize, index: usize) -> Self {
        Place { wave: wave as u32, index: index as u32 }
    }
}

/// Stores its own place, for removal in O(1).
pub(crate) trait Placed {
    fn place(&self) -> &Cell<Place>;
}

/// Viewers of one room on one shard, in waves that are served in turn.
///
/// A write to ten thousand sockets takes some 70 ms. Written in one turn, the last viewer's batch
/// would be that old, and all other rooms of the shard would wait that long. So a large room is
/// served wave by wave, each wave up to the newest message of its own turn. A viewer stays in its
/// wave, because the waves are at different positions of the chain.
///
/// Each wave is packed, so that a fan-out touches one array.
#[derive(Debug)]
pub(crate) struct Audience<T>(Vec<Vec<Rc<T>>>);

impl<T> Default for Audience<T> {
    fn default() -> Self {
        Audience(Vec::new())
    }
}

impl<T: Placed> Audience<T> {
    /// Adds a viewer to the first wave that is not full, or else to the smallest.
    pub(crate) fn enter(&mut self, viewer: Rc<T>, wave_viewers_max: usize) {
        let waves = &mut self.0;
        let with_room = waves.iter().position(|wave| wave.len() < wave_viewers_max);
        let wave = with_room.unwrap_or_else(|| {
            if waves.len() < WAVES_MAX {
                waves.push(Vec::new());
                return waves.len() - 1;
            }
            let smallest = waves.iter().enumerate().min_by_key(|(_, wave)| wave.len());
            smallest.map_or(0, |(wave, _)| wave)
        });
        viewer.place().set(Place::at(wave, waves[wave].len()));
        waves[wave].push(viewer);
    }

    /// Removes a viewer; does nothing when the viewer is not here.
    pub(crate) fn leave(&mut self, viewer: &Rc<T>) {
        let place = viewer.place().get();
        let (wave, index) = (place.wave as usize, place.index as usize);
        let Some(viewers) = self.0.get_mut(wave) else { return };
        if viewers.get(index).is_some_and(|found| Rc::ptr_eq(found, viewer)) {
            viewers.swap_remove(index);
            if let Some(moved) = viewers.get(index) {
                moved.place().set(place);
            }
        }
        while self.0.last().is_some_and(Vec::is_empty) {
            self.0.pop();
        }
    }

    /// Number of waves; the last one is not empty.
    pub(crate) fn waves(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn wave(&self, wave: usize) -> &[Rc<T>] {
        self.0.get(wave).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<T>> {
        self.0.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Member(Cell<Place>);

    impl Placed for Member {
        fn place(&self) -> &Cell<Place> {
            &self.0
        }
    }

    #[test]
    fn waves_fill_up_and_empty_from_the_end() {
        let mut audience = Audience::default();
        let join = |audience: &mut Audience<Member>| {
            let viewer = Rc::new(Member::default());
            audience.enter(Rc::clone(&viewer), 2);
            viewer
        };
        let viewers: Vec<_> = (0..5).map(|_| join(&mut audience)).collect();
        assert_eq!((audience.waves(), audience.iter().count()), (3, 5));
        audience.leave(&viewers[0]);
        audience.leave(&viewers[0]);
        assert_eq!(audience.wave(0).len(), 1, "a second removal does nothing");
        // The viewer that took the free index is found there.
        audience.leave(&viewers[1]);
        assert_eq!(
            (audience.wave(0).len(), audience.waves()),
            (0, 3),
            "a wave stays while later waves exist"
        );
        let newcomer = join(&mut audience);
        assert_eq!(newcomer.place().get().wave, 0);
        audience.leave(&viewers[4]);
        assert_eq!(audience.waves(), 2);
        for viewer in [&viewers[2], &viewers[3], &newcomer] {
            audience.leave(viewer);
        }
        assert_eq!(audience.waves(), 0);
    }

    #[test]
    fn the_smallest_wave_grows_when_all_are_full() {
        let mut audience = Audience::default();
        let all: Vec<_> = (0..WAVES_MAX * 3).map(|_| Rc::new(Member::default())).collect();
        all.iter().for_each(|viewer| audience.enter(Rc::clone(viewer), 1));
        assert_eq!(audience.waves(), WAVES_MAX);
        assert!((0..WAVES_MAX).all(|wave| audience.wave(wave).len() == 3));
    }
}
