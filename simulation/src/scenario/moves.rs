//! A room that moves between partitions while it is written: publishers and movers in every order of their
//! steps, each of which one server takes at once. Views of the settings are old, answers are lost, movers die.

use barrage_bus::RoomPlace;
use barrage_bus::moves::{self, Chain, Close, Closing, Finish, Gate, Order, Verdict};
use barrage_protocol::Sequence;

use super::kind::{Broken, Kind, Scenario};
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::trace::Trace;

pub(super) const KIND: Kind = Kind {
    name: "moves",
    about: "a room has one partition that takes its messages, and each message is stored once behind all before it",
    events: 160,
    mutations: &[Mutation::GateUnchecked, Mutation::PositionsBeginAgain, Mutation::IdsForgottenByMove],
    start: |_, mutation| Box::new(World::new(mutation)),
};

const STREAMS: usize = 3;
const PUBLISHERS: usize = 2;
const MOVERS: usize = 2;
const POSTS: usize = 6;
/// The whole run is within the time in which ids are remembered.
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
    /// Messages in the order in which servers stored them: position, and number of moves before it.
    stored: Vec<(Sequence, u64)>,
    mutation: Option<Mutation>,
}

impl Servers {
    /// Stores the place unless another one came first, as the settings do.
    fn note(&mut self, place: &RoomPlace) {
        if self.place.epoch() + 1 == place.epoch() {
            self.place = place.clone();
        }
    }

    /// Returns whether a write names the newest gate of a stream.
    fn is_open(&self, partition: usize, expected: Sequence) -> bool {
        self.mutation == Some(Mutation::GateUnchecked) || self.streams[partition].gate().at == expected
    }

    fn store(&mut self, partition: usize, id: usize, chain: Chain) -> Result<Sequence, Broken> {
        let stream = &mut self.streams[partition];
        stream.0.push(Entry::Message { id, chain });
        let position = chain.position(Sequence(stream.last()));
        if let Some((last, epoch)) = self.stored.last() {
            must!(
                *epoch <= chain.epoch,
                "a partition that the room left after {epoch} moves takes message {id}"
            );
            must!(*last < position, "message {id} is at {position}, after one at {last}");
        }
        self.stored.push((position, chain.epoch));
        Ok(position)
    }
}

/// Steps of a move, as `Mover::close` and `Mover::finish` take them.
#[derive(Debug, Clone)]
enum Moving {
    Idle,
    Write { view: RoomPlace, before: Gate, order: Order },
    Last { view: RoomPlace, gate: Gate },
    Reached { view: RoomPlace, gate: Gate, last: u64 },
    Note(RoomPlace),
}

impl Moving {
    fn step(self, servers: &mut Servers, view: &RoomPlace, to: u16) -> Moving {
        match self {
            Moving::Idle => {
                if !moves::may_move(view, to, 0, WINDOW_MS) {
                    return Moving::Idle;
                }
                let before = servers.streams[usize::from(view.current().partition)].gate();
                match moves::close(view, before, to) {
                    Close::Stay => Moving::Idle,
                    Close::Finish(gate) => Moving::finish(view, gate),
                    Close::Write(order) => Moving::Write { view: view.clone(), before, order },
                }
            }
            Moving::Write { view, before, order } => {
                let partition = usize::from(view.current().partition);
                if !servers.is_open(partition, before.at) {
                    return Moving::Idle;
                }
                let stream = &mut servers.streams[partition];
                stream.0.push(Entry::Gate(order));
                let gate = stream.gate();
                Moving::finish(&view, gate)
            }
            Moving::Last { view, gate } => {
                let last = servers.streams[usize::from(view.current().partition)].newest();
                Moving::Reached { view, gate, last }
            }
            Moving::Reached { view, gate, last } => {
                let begins_again = servers.mutation == Some(Mutation::PositionsBeginAgain);
                let reached = servers.streams[usize::from(gate.order.to)].last();
                let reached = Sequence(reached + if begins_again { 5 } else { 0 });
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
        match moves::finish(view, gate) {
            Finish::Note => Moving::Last { view: view.clone(), gate },
            Finish::Known | Finish::Unknown => Moving::Idle,
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
    fn accepted(&mut self, position: Sequence, trace: &mut Trace) -> Posting {
        let id = self.posts.pop().expect("a post is under way");
        trace.note(format_args!("message {id} is at {position}"));
        self.receipts.push((id, position));
        Posting::Begin
    }

    fn step(&mut self, servers: &mut Servers, loses_answer: bool, trace: &mut Trace) -> Result<(), Broken> {
        let Some(&id) = self.posts.last() else { return Ok(()) };
        let at = std::mem::replace(&mut self.at, Posting::Begin);
        self.at = match at {
            Posting::Begin => {
                let forgets = servers.mutation == Some(Mutation::IdsForgottenByMove);
                let left = if forgets { Vec::new() } else { self.view.left_since(0, WINDOW_MS) };
                Posting::Ask(self.view.clone(), left)
            }
            Posting::Ask(home, mut left) => match left.pop() {
                None => Posting::Commit(home),
                Some(partition) => match servers.streams[usize::from(partition)].find(id) {
                    Some((stored, chain)) => self.accepted(chain.position(Sequence(stored)), trace),
                    None => Posting::Ask(home, left),
                },
            },
            // The place is looked up again before each attempt.
            Posting::Commit(home) if home != self.view => Posting::Begin,
            Posting::Commit(home) => {
                let segment = home.current();
                let place = usize::from(segment.partition);
                if !servers.is_open(place, self.expected[place].at) {
                    Posting::Refused(home)
                } else if let Some((stored, chain)) = servers.streams[place].find(id) {
                    self.accepted(chain.position(Sequence(stored)), trace)
                } else {
                    let position = servers.store(place, id, segment.chain)?;
                    if loses_answer { Posting::Commit(home) } else { self.accepted(position, trace) }
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
        Ok(())
    }
}

struct World {
    servers: Servers,
    publishers: Vec<Publisher>,
    movers: Vec<(RoomPlace, Moving)>,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Post,
    Move,
    Die,
    /// A process learns the place that the settings have now.
    See,
    Other,
}

impl World {
    fn new(mutation: Option<Mutation>) -> Self {
        let place = RoomPlace::first(0);
        let mut streams: [Stream; STREAMS] = Default::default();
        streams[2].0.extend([Entry::Other; 5]);
        let publisher = |number| Publisher {
            view: place.clone(),
            expected: Default::default(),
            posts: (number * POSTS..(number + 1) * POSTS).collect(),
            at: Posting::Begin,
            receipts: Vec::new(),
        };
        World {
            publishers: (0..PUBLISHERS).map(publisher).collect(),
            movers: vec![(place.clone(), Moving::Idle); MOVERS],
            servers: Servers { streams, place, stored: Vec::new(), mutation },
        }
    }

    /// Readers find each message once, where its receipt says.
    fn check_readers(&self, receipts: &[(usize, Sequence)]) -> Result<(), Broken> {
        let place = &self.servers.place;
        if place.is_cut(Sequence::ZERO) {
            return Ok(());
        }
        let mut found = Vec::new();
        for leg in place.legs(Sequence::ZERO) {
            let last = leg.last.map_or(u64::MAX, |last| leg.chain.stored(last).0);
            for (at, entry) in (1..).zip(&self.servers.streams[usize::from(leg.partition)].0) {
                if let Entry::Message { id, .. } = entry
                    && at > leg.chain.stored(Sequence::ZERO).0
                    && at <= last
                {
                    found.push((*id, leg.chain.position(Sequence(at))));
                }
            }
        }
        found.sort_unstable();
        must!(found == receipts, "readers find {found:?}, senders were answered {receipts:?}");
        Ok(())
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (16, Happens::Post),
            (12, Happens::Move),
            (2, Happens::Die),
            (6, Happens::See),
            (2, Happens::Other),
        ]);
        match happens {
            Happens::Post => {
                let (publisher, loses_answer) = (rng.below(PUBLISHERS), rng.percent(20));
                self.publishers[publisher].step(&mut self.servers, loses_answer, trace)?;
            }
            Happens::Move => {
                let (mover, to) = (rng.below(MOVERS), rng.below(STREAMS) as u16);
                let (view, moving) = &mut self.movers[mover];
                *moving = std::mem::replace(moving, Moving::Idle).step(&mut self.servers, view, to);
                trace.note(format_args!("mover {mover}: {moving:?}"));
            }
            Happens::Die => {
                let mover = rng.below(MOVERS);
                trace.note(format_args!("mover {mover} dies"));
                self.movers[mover].1 = Moving::Idle;
            }
            Happens::See => {
                let process = rng.below(PUBLISHERS + MOVERS);
                let place = self.servers.place.clone();
                trace.note(format_args!("process {process} sees {} moves", place.epoch()));
                match self.publishers.get_mut(process) {
                    Some(publisher) => publisher.view = place,
                    None => self.movers[process - PUBLISHERS].0 = place,
                }
            }
            Happens::Other => self.servers.streams[rng.below(STREAMS)].0.push(Entry::Other),
        }
        Ok(())
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        // Everybody is answered, although movers may have left a move half-way for ever.
        for turn in 0..600 {
            let publisher = &mut self.publishers[turn % PUBLISHERS];
            publisher.view = self.servers.place.clone();
            publisher.step(&mut self.servers, false, trace)?;
        }
        let mut receipts: Vec<_> = self.publishers.iter().flat_map(|it| it.receipts.clone()).collect();
        receipts.sort_unstable();
        let ids: Vec<_> = receipts.iter().map(|(id, _)| *id).collect();
        let all: Vec<_> = (0..PUBLISHERS * POSTS).collect();
        must!(ids == all, "only {ids:?} are answered");
        must!(self.servers.stored.len() == all.len(), "{} messages are stored", self.servers.stored.len());
        self.check_readers(&receipts)
    }
}
