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
/// served wave by wave, each wave up to the newest message of its own turn. The waves are at different
/// positions of the chain. So a viewer changes its wave only to one that is at its position or before; then
/// its next batch has messages again that it has.
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

    /// Adapts the waves to a size, after a delivery to `wave` and before any other delivery to the room;
    /// true when the number of waves has changed.
    ///
    /// A wave far above the size gives its second half to a new wave. The last wave, now the newest one,
    /// joins the smallest of the others when all fit into one wave less by far. Between the two bounds nothing
    /// changes, so that a cost that varies moves nobody to and fro.
    pub(crate) fn balance(&mut self, wave: usize, wave_viewers_max: usize) -> bool {
        let (waves, all) = (self.0.len(), self.iter().count());
        let is_large = self.wave(wave).len() > wave_viewers_max.saturating_mul(3) / 2;
        if is_large && waves < WAVES_MAX {
            let half = self.0[wave].len() / 2;
            let moved = self.0[wave].split_off(half);
            self.0.push(Vec::new());
            self.append(waves, moved);
            return true;
        }
        let fit = (waves.saturating_sub(1)).saturating_mul(wave_viewers_max) / 4 * 3;
        if wave + 1 == waves && all <= fit {
            let moved = self.0.pop().unwrap_or_default();
            let smallest = self.0.iter().enumerate().min_by_key(|(_, wave)| wave.len());
            self.append(smallest.map_or(0, |(wave, _)| wave), moved);
            return true;
        }
        false
    }

    fn append(&mut self, wave: usize, viewers: Vec<Rc<T>>) {
        for viewer in viewers {
            viewer.place().set(Place::at(wave, self.0[wave].len()));
            self.0[wave].push(viewer);
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
    use proptest::prelude::*;

    use super::*;

    thread_local! {
        /// Reads and writes of places: members that were visited.
        static VISITED: Cell<usize> = const { Cell::new(0) };
    }

    #[derive(Default)]
    struct Member(Cell<Place>);

    impl Placed for Member {
        fn place(&self) -> &Cell<Place> {
            VISITED.set(VISITED.get() + 1);
            &self.0
        }
    }

    /// A walk over the room would visit up to 10,000 members for each that leaves.
    #[test]
    fn crowd_that_leaves_at_once_visits_two_members_for_each() {
        const VIEWERS: usize = 10_000;
        let mut audience = Audience::default();
        let viewers: Vec<_> = (0..VIEWERS).map(|_| Rc::new(Member::default())).collect();
        viewers.iter().for_each(|viewer| audience.enter(Rc::clone(viewer), 1_000));
        // In an order that is neither that of the joins nor its reverse: 7,919 is prime.
        for n in 0..VIEWERS {
            VISITED.set(0);
            audience.leave(&viewers[n * 7_919 % VIEWERS]);
            assert!(VISITED.get() <= 2, "the viewer, and the one that takes its place: {}", VISITED.get());
        }
        assert_eq!(audience.waves(), 0);
        assert!(viewers.iter().all(|viewer| Rc::strong_count(viewer) == 1));
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

    fn audience(viewers: usize, wave: usize) -> (Audience<Member>, Vec<Rc<Member>>) {
        let mut audience = Audience::default();
        let all: Vec<_> = (0..viewers).map(|_| Rc::new(Member::default())).collect();
        all.iter().for_each(|viewer| audience.enter(Rc::clone(viewer), wave));
        (audience, all)
    }

    #[test]
    fn a_wave_that_takes_too_long_is_split_and_small_waves_join() {
        let (mut audience, viewers) = audience(20, 10);
        assert!(!audience.balance(0, 7), "not far above the size");
        assert!(audience.balance(0, 6) && audience.balance(1, 6));
        assert_eq!(audience.0.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
        assert!(!audience.balance(2, 100), "only the last wave joins another one: it is the newest");
        assert!(!audience.balance(3, 8), "between the bounds");
        assert!(audience.balance(3, 12) && audience.balance(2, 20));
        assert_eq!(audience.waves(), 2);
        viewers.iter().for_each(|viewer| audience.leave(viewer));
        assert_eq!(audience.waves(), 0, "each one is found at its new place");
    }

    #[test]
    fn no_room_has_more_waves_than_the_bound() {
        let (mut audience, _viewers) = audience(1_000, 1_000);
        for turn in 0..100 {
            audience.balance(turn % audience.waves(), 1);
        }
        assert_eq!(audience.waves(), WAVES_MAX);
    }

    proptest! {
        /// Waves are served by turns while viewers change their waves: each viewer gets each message, in
        /// order.
        #[test]
        fn no_viewer_misses_a_message(sizes in prop::collection::vec(1_usize..12, 1..120)) {
            let (mut audience, viewers) = audience(30, 4);
            let mut seen = vec![0_u32; viewers.len()];
            let number = |viewer: &Rc<Member>| viewers.iter().position(|it| Rc::ptr_eq(it, viewer)).unwrap();
            // As the batcher does: a new wave starts where the last of the others is.
            let mut sent = vec![0; audience.waves()];
            for (turn, size) in sizes.into_iter().enumerate() {
                sent.truncate(audience.waves());
                let last = sent.iter().copied().min().unwrap_or_default();
                sent.resize(audience.waves(), last);
                let wave = (0..sent.len()).min_by_key(|wave| sent[*wave]).unwrap();
                let (previous, newest) = (std::mem::replace(&mut sent[wave], turn as u32 + 1), turn as u32 + 1);
                for viewer in audience.wave(wave) {
                    let seen = &mut seen[number(viewer)];
                    prop_assert!(previous <= *seen, "a hole before turn {turn}");
                    *seen = newest;
                }
                audience.balance(wave, size);
                prop_assert_eq!(audience.iter().count(), viewers.len());
            }
        }
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
