//! The vectors that the page passes too, and every order in which a viewer may get states and changes.

use std::collections::BTreeMap;
use std::path::Path;

use barrage_protocol::Sequence;
use barrage_protocol::attribute::{Attribute, AttributeKey};
use barrage_protocol::state::{Keyed, PinnedMessage, StateSettings, Versioned};
use barrage_protocol::super_chat::OpenSuperChat;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<VectorStep>,
}

#[derive(Deserialize)]
struct VectorStep {
    take: RoomState,
    newer: bool,
    state: Option<Value>,
}

#[test]
fn state_passes_the_shared_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/state.json");
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.cases.is_empty());
    for case in vectors.cases {
        let mut state = RoomState::default();
        for (number, step) in case.steps.into_iter().enumerate() {
            let place = format!("{}, step {number}", case.name);
            assert_eq!(state.merge(step.take.clone()), step.newer, "{place}");
            if let Some(expected) = step.state {
                assert_eq!(serde_json::to_value(&state).unwrap(), expected, "{place}");
            }
            assert!(!state.merge(step.take), "{place}, again");
        }
    }
}

/// One change that a room makes.
#[derive(Debug, Clone)]
enum Op {
    Set(usize),
    Remove(usize),
    /// The time of an attribute is over: its removal has the version behind the attribute's.
    Expire(usize),
    SlowMode(u32),
    Pin(u64),
    Unpin,
    /// Puts a new super chat on top.
    OpenSuperChat,
    /// The host reads one of those on top, or takes the mark back.
    ReadSuperChat(prop::sample::Index),
    /// One of those on top is hidden, or its time is over.
    CloseSuperChat(prop::sample::Index),
}

/// The settings of a room, as the bus keeps them.
#[derive(Debug, Clone)]
struct Stored {
    version: u64,
    settings: Versioned<StateSettings>,
    pinned: Versioned<PinnedMessage>,
    attributes: BTreeMap<AttributeKey, Versioned<Attribute>>,
    attributes_version: u64,
    super_chats: BTreeMap<Sequence, Versioned<OpenSuperChat>>,
    super_chats_version: u64,
}

fn key(n: usize) -> AttributeKey {
    format!("k{n}").parse().unwrap()
}

impl Stored {
    fn new() -> Self {
        Stored {
            version: 0,
            settings: Versioned::default(),
            pinned: Versioned::new(0, None),
            attributes: BTreeMap::new(),
            attributes_version: 0,
            super_chats: BTreeMap::new(),
            super_chats_version: 0,
        }
    }

    /// Chooses one of the super chats on top; `None` without any.
    fn super_chat(&self, index: prop::sample::Index) -> Option<Sequence> {
        let on_top: Vec<_> = self.super_chats.keys().copied().collect();
        (!on_top.is_empty()).then(|| *index.get(&on_top))
    }

    /// Applies a change; returns what its signal carries.
    fn apply(&mut self, op: &Op) -> RoomState {
        // Versions grow by more than one, as those that follow the time do.
        self.version += 10;
        let mut change = RoomState::default();
        match op {
            Op::Set(n) => {
                let value = Attribute { text: format!("v{}", self.version), expires_at_ms: None };
                self.attributes_version = self.version;
                self.attributes.insert(key(*n), Versioned::new(self.version, Some(value)));
                change.attributes = Keyed::change(key(*n), self.attributes[&key(*n)].clone());
            }
            Op::Remove(n) => {
                self.attributes_version = self.version;
                self.attributes.remove(&key(*n));
                change.attributes = Keyed::change(key(*n), Versioned::new(self.version, None));
            }
            Op::Expire(n) => {
                if let Some(of) = self.attributes.remove(&key(*n)) {
                    self.attributes_version = self.attributes_version.max(of.version + 1);
                    change.attributes = Keyed::change(key(*n), Versioned::new(of.version + 1, None));
                }
            }
            Op::SlowMode(secs) => {
                let settings = StateSettings { slow_mode_secs: *secs, ..StateSettings::default() };
                self.settings = Versioned::new(self.version, Some(settings));
                change.settings = Some(self.settings.clone());
            }
            Op::Pin(sequence) => {
                let (sequence, message) = (Sequence(*sequence), json!({ "text": "x" }));
                self.pinned = Versioned::new(self.version, Some(PinnedMessage { sequence, message }));
                change.pinned = Some(self.pinned.clone());
            }
            Op::Unpin => {
                self.pinned = Versioned::new(self.version, None);
                change.pinned = Some(self.pinned.clone());
            }
            Op::OpenSuperChat => {
                let (sequence, message) = (Sequence(self.version), json!({ "type": "super_chat" }));
                let open = OpenSuperChat { sequence, until_ms: u64::MAX, read: false, message };
                self.super_chats.insert(sequence, Versioned::new(self.version, Some(open)));
                change.super_chats = self.super_chat_change(sequence);
            }
            Op::ReadSuperChat(index) => {
                if let Some(sequence) = self.super_chat(*index) {
                    let entry = self.super_chats.get_mut(&sequence).unwrap();
                    let open = entry.value.as_mut().unwrap();
                    (open.read, entry.version) = (!open.read, self.version);
                    change.super_chats = self.super_chat_change(sequence);
                }
            }
            Op::CloseSuperChat(index) => {
                if let Some(sequence) = self.super_chat(*index) {
                    self.super_chats.remove(&sequence);
                    change.super_chats = self.super_chat_change(sequence);
                }
            }
        }
        change
    }

    /// Returns the signal of a super chat that this version changed.
    fn super_chat_change(&mut self, sequence: Sequence) -> Keyed<Sequence, OpenSuperChat> {
        self.super_chats_version = self.version;
        let removed = || Versioned::new(self.version, None);
        Keyed::change(sequence, self.super_chats.get(&sequence).cloned().unwrap_or_else(removed))
    }

    fn state(&self) -> RoomState {
        RoomState {
            settings: Some(self.settings.clone()),
            pinned: Some(self.pinned.clone()),
            attributes: Keyed { complete_to: self.attributes_version, entries: self.attributes.clone() },
            super_chats: Keyed { complete_to: self.super_chats_version, entries: self.super_chats.clone() },
            ..RoomState::default()
        }
    }
}

/// Slow mode, position of the pinned message, attributes, and super chats with whether each is read.
type Shown = (u32, Option<u64>, Vec<(String, String)>, Vec<(u64, bool)>);

/// What a person sees of a state.
fn shown(state: &RoomState) -> Shown {
    let secs = state.settings.as_ref().and_then(|it| it.value.as_ref()).map_or(0, |it| it.slow_mode_secs);
    let pinned = state.pinned.as_ref().and_then(|it| it.value.as_ref()).map(|it| it.sequence.0);
    let attributes = state.attributes.values().map(|(key, it)| (key.to_string(), it.text.clone()));
    let super_chats = state.super_chats.values().map(|(at, it)| (at.0, it.read));
    (secs, pinned, attributes.collect(), super_chats.collect())
}

/// A join at one of the gateways: the position in the chain, and how many changes its settings have
/// that the chain has not, or lack.
#[derive(Debug, Clone, Copy)]
struct Join {
    at: prop::sample::Index,
    settings: prop::sample::Index,
    /// Signals of the chain behind the position that come a second time, before the others.
    doubled: usize,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Op::Set),
        2 => (0..4_usize).prop_map(Op::Remove),
        2 => (0..4_usize).prop_map(Op::Expire),
        1 => (0..9_u32).prop_map(Op::SlowMode),
        1 => (1..9_u64).prop_map(Op::Pin),
        1 => Just(Op::Unpin),
        2 => Just(Op::OpenSuperChat),
        2 => any::<prop::sample::Index>().prop_map(Op::ReadSuperChat),
        1 => any::<prop::sample::Index>().prop_map(Op::CloseSuperChat),
    ]
}

fn join() -> impl Strategy<Value = Join> {
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_usize)
        .prop_map(|(at, settings, doubled)| Join { at, settings, doubled })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Each viewer joins some times, at gateways whose settings are ahead of the chain or behind it, with
    /// and without signals that come doubled. Signals of concurrent changes come in another order than
    /// the changes. In the end all viewers see the room as it is.
    #[test]
    fn every_interleaving_ends_in_the_same_state(
        ops in prop::collection::vec(op(), 1..40),
        swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        viewers in prop::collection::vec(prop::collection::vec(join(), 1..4), 1..5),
    ) {
        let mut stored = Stored::new();
        let mut states = vec![stored.state()];
        let mut chain = Vec::new();
        for op in &ops {
            chain.push(stored.apply(op));
            states.push(stored.state());
        }
        // Two signals change places; a setting is stored before its signal all the same.
        for swap in swaps {
            let at = swap.index(chain.len());
            let next = (at + 1).min(chain.len() - 1);
            chain.swap(at, next);
        }
        for joins in viewers {
            let mut state = RoomState::default();
            let mut position = 0;
            for (n, Join { at, settings, doubled }) in joins.into_iter().enumerate() {
                let at = at.index(chain.len() + 1);
                // A gateway knows its settings, of any age, and the signals up to its position. One that has
                // just started has all settings whose signals are before its position.
                let mut gateway = states[settings.index(states.len())].clone();
                if settings.index(2) == 0 {
                    gateway = states[(at + 20).min(states.len() - 1)].clone();
                } else {
                    for signal in &chain[..at] {
                        gateway.merge(signal.clone());
                    }
                }
                if n == 0 {
                    position = at;
                }
                state.merge(gateway);
                let again = position.saturating_sub(doubled);
                for signal in &chain[again..at.max(position)] {
                    state.merge(signal.clone());
                }
                position = position.max(at);
            }
            for signal in &chain[position..] {
                state.merge(signal.clone());
            }
            prop_assert_eq!(shown(&state), shown(&stored.state()));
        }
    }
}

#[test]
fn a_message_changes_the_state_by_its_body() {
    let mut state = RoomState::default();
    let mut take = |class, body: Value| {
        let body = serde_json::value::to_raw_value(&body).unwrap();
        take_message(&mut state, &BatchMessage { sequence: Sequence(1), class, body })
    };
    let settings = json!({ "settings": { "version": 5, "value": { "title": "T" } } });
    let body = json!({ "type": "signal", "signal": "state", "state": settings });
    assert!(!take(Class::Chat, body.clone()), "a sender cannot change the state");
    assert!(take(Class::Signal, body.clone()) && !take(Class::Signal, body));
    assert!(!take(Class::Signal, json!({ "signal": "clear" })));
    assert!(!take(Class::Signal, json!({ "signal": "new", "state": "a new shape" })));
}
