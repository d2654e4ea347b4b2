//! One encoding for all newcomers, and what it merges.

use barrage_bus::{AttributeChange, BusConfig, Change, RoomPatch};
use barrage_protocol::attribute::Attribute;
use barrage_protocol::state::PinnedMessage;
use barrage_protocol::{Class, Message, Sequence};
use serde_json::json;

use super::*;
use crate::room::{Hide, message};

fn room() -> RoomId {
    "demo".parse().unwrap()
}

fn hello() -> Hello {
    Hello {
        room: room(),
        user: None,
        connection: "c1".into(),
        ping_interval_ms: 25_000,
        ping_interval_ms_max: None,
        visibility: false,
        sequence: Sequence(9),
        resume: false,
        online: 3,
        state: None,
    }
}

/// A payload of a server's frame, whose length is in 7 or 16 bits.
fn payload(frame: &[u8]) -> &[u8] {
    let (short, long) = (&frame[2..], &frame[4..]);
    if frame[1] < 126 { short } else { long }
}

fn read(frame: &[u8]) -> RoomState {
    let json = match frame[0] {
        0x82 => deflate::inflate(payload(frame), 1 << 20).unwrap(),
        _ => payload(frame).to_vec(),
    };
    let ServerFrame::Hello(hello) = ServerFrame::parse(&json).unwrap() else { panic!("no hello") };
    *hello.state.unwrap()
}

struct Scene {
    settings: Settings,
    cell: StateCell,
    changes: u64,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Scene { settings: Settings::default(), cell: StateCell::default(), changes: 0 };
        scene.apply(&Change::Patch(room(), RoomPatch::Ensure { title: "Demo".into() }));
        scene
    }

    fn apply(&mut self, change: &Change) {
        self.settings.apply(change, &BusConfig::default(), 1_800_000_000_000).unwrap();
    }

    fn set(&mut self, key: &str, text: &str) {
        self.changes += 1;
        let value = Some(Attribute { text: text.into(), expires_at_ms: None });
        let (request, fingerprint) = (self.changes, self.changes);
        let key = key.parse().unwrap();
        let change = AttributeChange { key, value, if_version: None, request, fingerprint };
        self.apply(&Change::Attribute { room: room(), change });
    }

    fn join(&self, encoding: Encoding) -> Bytes {
        let state = self.cell.encoded(&self.settings, &room(), None).unwrap();
        encode_hello(hello(), Some(&state), encoding)
    }
}

#[test]
fn five_thousand_newcomers_cost_one_encoding_per_change() {
    let mut scene = Scene::new();
    let encodings = [Encoding::Json, Encoding::Deflate { effort: 3 }];
    for n in 0..5_000_usize {
        if n % 100 == 0 {
            scene.set(&format!("key{}", n % 700), &format!("value {n}").repeat(20));
            let changed = scene.settings.attributes[&room()].state();
            let signal = json!({ "type": "signal", "signal": "state", "state": { "attributes": changed } });
            scene.join(encodings[0]);
            // The settings were first here; the signal then changes nothing.
            scene.cell.take_signal(signal.to_string().as_bytes());
        }
        scene.join(encodings[n % 2]);
    }
    assert_eq!(scene.cell.encodings(), 50);
    let expected = scene.settings.room_state(&room());
    for encoding in encodings {
        assert_eq!(read(&scene.join(encoding)), expected, "{encoding:?}");
    }
}

#[test]
fn a_signal_that_overtakes_the_settings_is_in_the_state() {
    let mut scene = Scene::new();
    let behind = scene.settings.clone();
    scene.set("score", "1:0");
    let newer = scene.settings.attributes[&room()].state_of(&"score".parse().unwrap());
    scene.settings = behind;
    let signal = json!({ "type": "signal", "signal": "attribute", "state": { "attributes": newer } });
    scene.cell.take_signal(signal.to_string().as_bytes());
    scene.cell.take_signal(br#"{"type":"signal","signal":"clear"}"#);
    scene.cell.take_signal(b"no json");
    let state = read(&scene.join(Encoding::Json));
    assert_eq!(state.attributes.values().count(), 1);
    assert_eq!(state.settings.unwrap().value.unwrap().title, "Demo");
}

#[test]
fn super_chats_behind_the_position_of_viewers_are_left_out() {
    let mut scene = Scene::new();
    for n in [4, 9] {
        let open = barrage_protocol::OpenSuperChat {
            sequence: Sequence(n),
            until_ms: u64::MAX,
            read: false,
            message: json!({ "type": "super_chat" }),
        };
        let change = barrage_bus::SuperChatChange::Open(open);
        scene.apply(&Change::SuperChats { room: room(), change });
    }
    let hides = Hides::default();
    let shown = |position: Option<u64>| {
        let shown = position.map(|position| (Sequence(position), &hides));
        let state = scene.cell.encoded(&scene.settings, &room(), shown).unwrap();
        *serde_json::from_slice::<Box<RoomState>>(&state.json).unwrap()
    };
    let (whole, early) = (shown(None), shown(Some(8)));
    assert_eq!(whole, shown(Some(9)));
    assert_eq!(early.super_chats.entries.keys().copied().collect::<Vec<_>>(), [Sequence(4)]);
    // The signal of the later one is newer than all that the newcomer counts as known.
    let mut known = early.clone();
    let version = whole.super_chats.entries[&Sequence(9)].clone();
    known.super_chats.merge(barrage_protocol::state::Keyed::change(Sequence(9), version));
    assert_eq!(known.super_chats.entries, whole.super_chats.entries);
    // One that a signal hides is left out before the settings have removed it.
    let recall = Message {
        sequence: Sequence(10),
        body: r#"{"type":"signal","signal":"recall","sequence":4}"#.into(),
        ..(*message(10, Class::Signal)).clone()
    };
    hides.add(Hide::of(&recall).unwrap());
    assert_eq!(shown(Some(9)).super_chats.entries.keys().copied().collect::<Vec<_>>(), [Sequence(9)]);
}

#[test]
fn a_room_without_settings_has_no_state() {
    let cell = StateCell::default();
    assert!(cell.encoded(&Settings::default(), &room(), None).is_none());
    let frame = encode_hello(hello(), None, Encoding::Json);
    assert!(!String::from_utf8_lossy(&frame).contains("state"));
}

/// Prints the figures of the reference: bytes of a hello without state, with a title alone, and with 20 and
/// 100 attributes of 40 bytes.
#[test]
fn bytes_of_a_hello() {
    let mut scene = Scene::new();
    let deflated = Encoding::Deflate { effort: 3 };
    let bytes = |scene: &Scene| [scene.join(Encoding::Json).len(), scene.join(deflated).len()];
    let bare = [Encoding::Json, deflated].map(|encoding| encode_hello(hello(), None, encoding).len());
    let mut figures = vec![("without state", bare), ("title", bytes(&scene))];
    for (count, name) in [(20, "20 attributes"), (100, "100 attributes")] {
        for n in 0..count {
            scene.set(&format!("item.{n}"), &format!("{n:08} of a product that is sold {n:04}"));
        }
        figures.push((name, bytes(&scene)));
    }
    println!("bytes of a hello, JSON and deflated: {figures:?}");
    let [json, small] = figures[1].1;
    assert!(json < bare[0] + 150 && small < bare[1] + 50, "{figures:?}");
    let [json, small] = figures[3].1;
    assert!(small * 4 < json, "a large state deflates well: {figures:?}");
}

#[test]
fn a_pinned_message_behind_the_position_of_viewers_is_left_out() {
    let mut scene = Scene::new();
    let quoted = json!({ "type": "chat", "user": "bo", "text": "not yet" });
    let pinned = PinnedMessage { sequence: Sequence(9), message: quoted };
    scene.apply(&Change::Patch(room(), RoomPatch::Pin(pinned.clone())));
    let hides = Hides::default();
    let shown = |position: u64| {
        let state = scene.cell.encoded(&scene.settings, &room(), Some((Sequence(position), &hides))).unwrap();
        serde_json::from_slice::<Box<RoomState>>(&state.json).unwrap().pinned
    };
    assert_eq!(shown(8), None, "viewers get the message, and then its signal, after the delay");
    assert_eq!(shown(9).unwrap().value, Some(pinned));
    let purge = Message {
        sequence: Sequence(10),
        body: r#"{"type":"signal","signal":"purge","user":"bo"}"#.into(),
        ..(*message(10, Class::Signal)).clone()
    };
    hides.add(Hide::of(&purge).unwrap());
    assert_eq!(shown(9), None, "hidden before the settings have unpinned it");
}
