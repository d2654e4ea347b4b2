//! One room, some publishers and movers in every order of their steps, each of which one server takes at once.
//! Views of the settings are as old as the order says, answers are lost, and movers die between steps.

use barrage_protocol::Sequence;
use proptest::prelude::*;

use super::{Gate, Order, Verdict};
use crate::settings::room_place::{Chain, Closing, RoomPlace};

const STREAMS: usize = 3;
const POSTS: usize = 4;
/// The whole test is within the time in which ids are remembered.
const WINDOW_MS: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
enum Entry {
    Gate(Order),
    Message {
        id: usize,
        chain: Chain,
    },
    /// A message of another room.
    Other,
}

#[derive(Debug, Clone, Default)]
struct Stream(Vec<Entry>);

impl Stream {
    fn last(&self) -> u64 {
        self.0.len() as u64
    }

    fn gate(&self) -> Gate {
        let find = |(at, entry): (usize, &Entry)| match entry {
            Entry::Gate(order) => Some(Gate { at: Sequence(at as u64 + 1), order: *order }),
            Entry::Message { .. } | Entry::Other => None,
        };
        self.0.iter().enumerate().rev().find_map(find).unwrap_or_default()
    }

    fn newest(&self) -> u64 {
        self.0.iter().rposition(|it| matches!(it, Entry::Message { .. })).map_or(0, |at| at as u64 + 1)
    }

    fn find(&self, wanted: usize) -> Option<(u64, Chain)> {
        let find = |(at, entry): (usize, &Entry)| match entry {
            Entry::Message { id, chain } if *id == wanted => Some((at as u64 + 1, *chain)),
            Entry::Message { .. } | Entry::Gate(_) | Entry::Other => None,
        };
        self.0.iter().enumerate().find_map(find)
    }
}

/// The servers: streams, and the place of the room in the settings.
struct Servers {
    streams: [Stream; STREAMS],
    place: RoomPlace,
    /// Positions in the order in which the servers stored them.
    stored: Vec<Sequence>,
}

impl Servers {
    /// Stores the place unless another one came first, as `Change::Place` does.
    fn note(&mut self, place: &RoomPlace) {
        if self.place.epoch() + 1 == place.epoch() {
            self.place = place.clone();
        }
    }
}

/// Steps of a move, as `Mover::close` and `Mover::finish` take them.
#[derive(Debug, Clone)]
enum Moving {
    Idle,
    Write { to: u16, view: RoomPlace, before: Gate },
    Last { view: RoomPlace, gate: Gate },
    Reached { view: RoomPlace, gate: Gate, last: u64 },
    Note(RoomPlace),
}

impl Moving {
    fn step(self, servers: &mut Servers, view: &RoomPlace, to: u16) -> Moving {
        match self {
            Moving::Idle => {
                let known = view.current();
                let before = servers.streams[usize::from(known.partition)].gate();
                if before.verdict(known.chain.epoch) == Verdict::Closed {
                    return Moving::finish(view, before);
                }
                if known.partition == to || view.is_full(0, WINDOW_MS) {
                    Moving::Idle
                } else {
                    Moving::Write { to, view: view.clone(), before }
                }
            }
            Moving::Write { to, view, before } => {
                let stream = &mut servers.streams[usize::from(view.current().partition)];
                if stream.gate().at != before.at {
                    return Moving::Idle;
                }
                stream.0.push(Entry::Gate(Order { epoch: view.epoch() + 1, to }));
                let gate = stream.gate();
                Moving::finish(&view, gate)
            }
            Moving::Last { view, gate } => {
                let last = servers.streams[usize::from(view.current().partition)].newest();
                Moving::Reached { view, gate, last }
            }
            Moving::Reached { view, gate, last } => {
                let reached = Sequence(servers.streams[usize::from(gate.order.to)].last());
                let (to, gate, last) = (gate.order.to, gate.at, Sequence(last));
                Moving::Note(view.moved(Closing { to, gate, last, reached }, 0))
            }
            Moving::Note(place) => {
                servers.note(&place);
                Moving::Idle
            }
        }
    }

    fn finish(view: &RoomPlace, gate: Gate) -> Moving {
        if view.epoch() + 1 == gate.order.epoch {
            Moving::Last { view: view.clone(), gate }
        } else {
            Moving::Idle
        }
    }
}

/// Steps of a publish, as `Publisher::attempt` takes them.
#[derive(Debug, Clone)]
enum Posting {
    Begin,
    /// Partitions that are still to be asked for the id.
    Ask(RoomPlace, Vec<u16>),
    Commit(RoomPlace),
    Refused(RoomPlace),
    Help(Moving),
}

struct Publisher {
    view: RoomPlace,
    expected: [Gate; STREAMS],
    posts: Vec<usize>,
    at: Posting,
    receipts: Vec<(usize, Sequence)>,
}

impl Publisher {
    fn accepted(&mut self, position: Sequence) -> Posting {
        let id = self.posts.pop().expect("a post is under way");
        self.receipts.push((id, position));
        Posting::Begin
    }

    fn step(&mut self, servers: &mut Servers, is_answer_lost: bool) {
        let Some(&id) = self.posts.last() else { return };
        let at = std::mem::replace(&mut self.at, Posting::Begin);
        self.at = match at {
            Posting::Begin => Posting::Ask(self.view.clone(), self.view.left_since(0, WINDOW_MS)),
            Posting::Ask(home, mut left) => match left.pop() {
                None => Posting::Commit(home),
                Some(partition) => match servers.streams[usize::from(partition)].find(id) {
                    Some((stored, chain)) => self.accepted(chain.position(Sequence(stored))),
                    None => Posting::Ask(home, left),
                },
            },
            // The place is looked up again before each attempt.
            Posting::Commit(home) if home != self.view => Posting::Begin,
            Posting::Commit(home) => {
                let segment = home.current();
                let place = usize::from(segment.partition);
                let stream = &mut servers.streams[place];
                if stream.gate().at != self.expected[place].at {
                    Posting::Refused(home)
                } else if let Some((stored, chain)) = stream.find(id) {
                    self.accepted(chain.position(Sequence(stored)))
                } else {
                    stream.0.push(Entry::Message { id, chain: segment.chain });
                    let position = segment.chain.position(Sequence(stream.last()));
                    servers.stored.push(position);
                    if is_answer_lost { Posting::Commit(home) } else { self.accepted(position) }
                }
            }
            Posting::Refused(home) => {
                let place = usize::from(home.current().partition);
                let gate = servers.streams[place].gate();
                match gate.verdict(home.epoch()) {
                    Verdict::Open => {
                        self.expected[place] = gate;
                        Posting::Commit(home)
                    }
                    Verdict::Closed => Posting::Help(Moving::finish(&self.view, gate)),
                }
            }
            Posting::Help(Moving::Idle) => Posting::Begin,
            Posting::Help(moving) => Posting::Help(moving.step(servers, &self.view, 0)),
        };
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Post {
        publisher: usize,
        is_answer_lost: bool,
    },
    Move {
        mover: usize,
        to: u16,
    },
    Die {
        mover: usize,
    },
    /// A process learns the place that the settings have now.
    See {
        process: usize,
    },
    Other {
        stream: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..2_usize, prop::bool::weighted(0.2))
            .prop_map(|(publisher, is_answer_lost)| Event::Post { publisher, is_answer_lost }),
        6 => (0..2_usize, 0..3_u16).prop_map(|(mover, to)| Event::Move { mover, to }),
        1 => (0..2_usize).prop_map(|mover| Event::Die { mover }),
        3 => (0..4_usize).prop_map(|process| Event::See { process }),
        1 => (0..STREAMS).prop_map(|stream| Event::Other { stream }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_order_of_steps_loses_or_doubles_a_message(events in prop::collection::vec(event(), 0..160)) {
        let place = RoomPlace::first(0);
        let mut servers =
            Servers { streams: Default::default(), place: place.clone(), stored: Vec::new() };
        servers.streams[2].0.extend([Entry::Other; 5]);
        let mut publishers = [0, 1].map(|n| Publisher {
            view: place.clone(),
            expected: Default::default(),
            posts: (n * POSTS..(n + 1) * POSTS).collect(),
            at: Posting::Begin,
            receipts: Vec::new(),
        });
        let mut movers = [(place.clone(), Moving::Idle), (place, Moving::Idle)];
        let settle = (0..400).flat_map(|n| {
            let publisher = n % 2;
            [Event::See { process: publisher }, Event::Post { publisher, is_answer_lost: false }]
        });
        for event in events.into_iter().chain(settle) {
            match event {
                Event::Post { publisher, is_answer_lost } => {
                    publishers[publisher].step(&mut servers, is_answer_lost);
                }
                Event::Move { mover, to } => {
                    let (view, moving) = &mut movers[mover];
                    *moving = std::mem::replace(moving, Moving::Idle).step(&mut servers, view, to);
                }
                Event::Die { mover } => movers[mover].1 = Moving::Idle,
                Event::See { process } if process < 2 => publishers[process].view = servers.place.clone(),
                Event::See { process } => movers[process - 2].0 = servers.place.clone(),
                Event::Other { stream } => servers.streams[stream].0.push(Entry::Other),
            }
        }
        // Everybody is answered, although movers may have left a move half-way for ever.
        let mut receipts: Vec<_> = publishers.iter().flat_map(|it| it.receipts.clone()).collect();
        receipts.sort_unstable();
        prop_assert_eq!(receipts.iter().map(|(id, _)| *id).collect::<Vec<_>>(), (0..2 * POSTS).collect::<Vec<_>>());
        prop_assert!(servers.stored.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", servers.stored);
        prop_assert_eq!(servers.stored.len(), 2 * POSTS);
        // Readers find each message once, where its receipt says.
        let mut found = Vec::new();
        for leg in servers.place.legs(Sequence::ZERO).into_iter().filter(|_| !servers.place.is_cut(Sequence::ZERO)) {
            let last = leg.last.map_or(u64::MAX, |last| leg.chain.stored(last).0);
            for (at, entry) in (1..).zip(&servers.streams[usize::from(leg.partition)].0) {
                if let Entry::Message { id, .. } = entry
                    && at > leg.chain.stored(Sequence::ZERO).0
                    && at <= last
                {
                    found.push((*id, leg.chain.position(Sequence(at))));
                }
            }
        }
        if !servers.place.is_cut(Sequence::ZERO) {
            found.sort_unstable();
            prop_assert_eq!(found, receipts);
        }
    }
}
