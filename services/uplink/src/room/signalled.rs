//! Signals of the room's state that this process has published. Pure.

use std::collections::HashMap;

use barrage_bus::{Changed, SignalMark, StatePart};
use barrage_protocol::RoomId;
use parking_lot::Mutex;

/// Published signals that one part of a room remembers. Beyond, the newest is forgotten, and comes again
/// as a lost one.
const STEPS_MAX: usize = 256;

/// Versions before and after a change.
type Step = (u64, u64);

/// Signals that this process has published, until the settings have them noted.
///
/// Each is a step from the version before its change to the one after. Steps are noted in one piece from
/// the mark on: a gap is a change of another process, whose signal may be missing.
#[derive(Debug, Default)]
pub(crate) struct Signalled(Mutex<HashMap<(RoomId, StatePart), Vec<Step>>>);

impl Signalled {
    /// Remembers that the signal of a change was published.
    pub(super) fn published(&self, room: &RoomId, changed: &Changed) {
        let Some((part, before, after)) = changed.signal_step() else { return };
        let mut steps = self.0.lock();
        let steps = steps.entry((room.clone(), part)).or_default();
        let is_full = steps.len() >= STEPS_MAX;
        match steps.last_mut() {
            // One step of many changes, so that a busy room needs no memory for each.
            Some(last) if last.1 == before => last.1 = after,
            Some(_) if is_full => {}
            Some(_) | None => steps.push((before, after)),
        }
    }

    /// Returns the version up to which the steps lead from a mark, and forgets those that it covers.
    pub(super) fn reached(&self, room: &RoomId, part: StatePart, mark: SignalMark) -> u64 {
        let mut all = self.0.lock();
        let key = (room.clone(), part);
        let Some(steps) = all.get_mut(&key) else { return mark.signalled };
        let mut reached = mark.signalled;
        while let Some((_, after)) =
            steps.iter().find(|(before, after)| *before <= reached && *after > reached)
        {
            reached = *after;
        }
        // Those up to the mark are noted. The others stay until the note is stored.
        steps.retain(|(_, after)| *after > mark.signalled);
        if steps.is_empty() {
            all.remove(&key);
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_from_the_mark_up_to_the_first_gap() {
        let (memory, room): (_, RoomId) = (Signalled::default(), "r".parse().unwrap());
        let key = (room.clone(), StatePart::Settings);
        memory.0.lock().insert(key.clone(), vec![(5, 9), (0, 3), (3, 5), (12, 14)]);
        let mark = |signalled| SignalMark { changed: 14, signalled };
        let reached = |signalled| memory.reached(&room, StatePart::Settings, mark(signalled));
        assert_eq!((reached(0), reached(3), reached(9)), (9, 9, 9), "the step from 9 to 12 is another's");
        assert_eq!(memory.0.lock()[&key], [(12, 14)]);
        assert_eq!((reached(12), reached(14)), (14, 14));
        assert!(memory.0.lock().is_empty());
    }
}
