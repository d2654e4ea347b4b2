//! Random histories of one room over several streams.

use barrage_protocol::Sequence;
use proptest::prelude::*;

use super::*;

/// What happens next in the history of a room.
#[derive(Debug, Clone, Copy)]
enum Step {
    Message,
    /// Messages of other rooms in a partition.
    Others(u16, u64),
    Move(u16),
    /// All messages of the room's stream expire.
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Message),
        3 => (0_u16..3, 1_u64..1_000).prop_map(|(partition, count)| Step::Others(partition, count)),
        2 => (0_u16..3).prop_map(Step::Move),
        1 => Just(Step::Expire),
    ]
}

/// Streams that count by themselves; each holds the positions of the room's messages.
#[derive(Debug, Default)]
struct Streams {
    last: [u64; 3],
    room: [Vec<u64>; 3],
}

proptest! {
    /// Positions grow, each message names the one before it, and from every position the legs lead to all
    /// later messages, each once.
    #[test]
    fn a_chain_goes_on_over_moves(
        starts in prop::array::uniform3(0_u64..10_000), steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut streams = Streams { last: starts, ..Streams::default() };
        let mut place = RoomPlace::first(0);
        let (mut all, mut moves) = (Vec::<Sequence>::new(), 0);
        for step in steps {
            let segment = place.current();
            let stream = usize::from(segment.partition);
            match step {
                Step::Message => {
                    streams.last[stream] += 1;
                    let stored = streams.last[stream];
                    let position = segment.chain.position(Sequence(stored));
                    let before = streams.room[stream].last().copied().unwrap_or_default();
                    let previous = segment.chain.newest(Sequence(before));
                    prop_assert!(position > all.last().copied().unwrap_or_default());
                    prop_assert!(previous == all.last().copied().unwrap_or_default() || previous == Sequence::ZERO);
                    prop_assert_eq!(segment.chain.stored(position), Sequence(stored));
                    streams.room[stream].push(stored);
                    all.push(position);
                }
                Step::Others(partition, count) => streams.last[usize::from(partition)] += count,
                Step::Expire => {
                    // The first messages of the whole room: what is left is a suffix of the chain.
                    if place.epoch() == 0 {
                        streams.room[stream].clear();
                        all.clear();
                    }
                }
                Step::Move(to) if to == segment.partition => {}
                Step::Move(to) => {
                    streams.last[stream] += 1;
                    let closing = Closing {
                        to,
                        gate: Sequence(streams.last[stream]),
                        last: Sequence(streams.room[stream].last().copied().unwrap_or_default()),
                        reached: Sequence(streams.last[usize::from(to)]),
                    };
                    place = place.moved(closing, 1_000 * moves);
                    moves += 1;
                    prop_assert_eq!(place.epoch(), moves);
                }
            }
        }
        let from = all.iter().copied().chain([Sequence::ZERO]).filter(|after| !place.is_cut(*after));
        for after in from {
            let mut found = Vec::new();
            for leg in place.legs(after) {
                let (first, last) = (leg.chain.stored(after), leg.last.map(|last| leg.chain.stored(last)));
                let stored = streams.room[usize::from(leg.partition)].iter().copied().map(Sequence);
                let of_leg = stored.filter(|it| *it > first && last.is_none_or(|last| *it <= last));
                found.extend(of_leg.map(|it| leg.chain.position(it)));
            }
            let due: Vec<_> = all.iter().copied().filter(|it| *it > after).collect();
            prop_assert_eq!(found, due);
        }
    }
}

#[test]
fn a_room_is_asked_for_ids_where_it_was_within_the_window() {
    let closing = |to| Closing { to, gate: Sequence(9), last: Sequence(8), reached: Sequence(2) };
    let place = RoomPlace::first(0).moved(closing(1), 10_000).moved(closing(2), 50_000);
    assert_eq!(place.left_since(60_000, 60_000), [1, 0]);
    assert_eq!(place.left_since(100_000, 60_000), [1]);
    assert_eq!(place.left_since(10, 60_000), [1, 0], "a clock that runs behind");
    assert!(place.left_since(200_000, 60_000).is_empty());
    assert_eq!(place.moved(closing(1), 60_000).left_since(60_000, 60_000), [2, 0]);
    assert!(RoomPlace::first(0).left_since(0, u64::MAX).is_empty());
}

#[test]
fn old_stays_are_forgotten_at_the_bound() {
    let mut place = RoomPlace::first(0);
    for n in 1..=20_u64 {
        let to = u16::try_from(n % 2).unwrap();
        let gate = Sequence(10 * n);
        place = place.moved(Closing { to, gate, last: Sequence(10 * n - 1), reached: gate }, n);
    }
    assert_eq!((place.segments.len(), place.epoch()), (SEGMENTS_MAX, 20));
    assert!(place.is_full(1_000, 1_000) && !place.is_full(1_000, 900));
    assert!(place.is_cut(Sequence::ZERO) && !place.is_cut(place.current().chain.above));
    let json = serde_json::to_string(&place).unwrap();
    assert_eq!(serde_json::from_str::<RoomPlace>(&json).unwrap(), place);
}

/// A viewer with a position of a stay whose messages had all expired when the room moved: the stay has no last
/// message, so that no leg leads to what the viewer misses.
#[test]
fn messages_that_expired_before_the_move_are_known_to_be_missing() {
    let closing =
        |gate, last| Closing { to: 1, gate: Sequence(gate), last: Sequence(last), reached: Sequence(7) };
    let expired = RoomPlace::first(0).moved(closing(1_000, 0), 1);
    assert_eq!(expired.cut(Sequence(50)), Some(Sequence(1_000)));
    assert!(!expired.is_cut(Sequence::ZERO), "a viewer that has seen nothing");
    assert!(!expired.is_cut(Sequence(1_000)) && !expired.is_cut(Sequence(1_001)), "of the stay that lasts");
    let kept = RoomPlace::first(0).moved(closing(1_000, 90), 1);
    assert!((0..=1_001).all(|after| !kept.is_cut(Sequence(after))), "the leg to 90 says what is missing");
    let forgotten = (0..20_u64).fold(RoomPlace::first(0), |place, n| place.moved(closing(20 + n, 7), n));
    let above = forgotten.segments[0].chain.above;
    assert_eq!(forgotten.cut(Sequence(1)), Some(above), "messages behind it are known");
    assert_eq!(forgotten.cut(above), None);
}

#[test]
fn message_behind_the_gate_of_its_stay_is_a_stray() {
    let closing = |to, gate| Closing { to, gate: Sequence(gate), last: Sequence(8), reached: Sequence(2) };
    let place = RoomPlace::first(0).moved(closing(1, 9), 1).moved(closing(0, 20), 2);
    let (left, back) = (place.segments[1].chain, place.current().chain);
    assert!(!place.is_stray(0, Sequence(8)) && place.is_stray(0, Sequence(30)));
    assert!(
        !place.is_stray(1, left.position(Sequence(19))) && place.is_stray(1, left.position(Sequence(21)))
    );
    assert!(!place.is_stray(2, back.position(Sequence(1_000_000))), "the stay that lasts");
    assert!(!place.is_stray(3, Sequence::MAX), "a stay that this process does not know yet");
}

#[test]
fn archive_that_is_behind_in_a_former_partition_has_the_room_up_to_there() {
    let closing = |to, gate, last, reached| Closing {
        to,
        gate: Sequence(gate),
        last: Sequence(last),
        reached: Sequence(reached),
    };
    // Messages up to 90 in partition 0, up to 105 (15 there) in partition 1, none in partition 2.
    let place = RoomPlace::first(0).moved(closing(1, 100, 90, 10), 1);
    let place = place.moved(closing(2, 20, 15, 5), 2).moved(closing(0, 9, 0, 200), 3);
    let of = |marks: &[(u16, u64)]| -> BTreeMap<u16, Sequence> {
        marks.iter().map(|(at, mark)| (*at, Sequence(*mark))).collect()
    };
    assert_eq!(place.former().into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(place.archived_to(&of(&[])), Some(Sequence::ZERO));
    assert_eq!(place.archived_to(&of(&[(0, 80), (1, 15)])), Some(Sequence(80)));
    assert_eq!(place.archived_to(&of(&[(0, 90), (1, 3)])), Some(Sequence(100)), "nothing of the stay");
    assert_eq!(place.archived_to(&of(&[(0, 95), (1, 14)])), Some(Sequence(104)));
    assert_eq!(place.archived_to(&of(&[(0, 90), (1, 15)])), None);
    assert_eq!(RoomPlace::first(0).archived_to(&of(&[])), None);
}
