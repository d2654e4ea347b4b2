//! Vectors of the encoding `lines`, which the Rust and the TypeScript reader read alike.
//!
//! `WRITE_VECTORS=1` writes them again, after a change of the format.

use std::path::Path;

use barrage_protocol::batch::Pulse;
use barrage_protocol::deflate::deflate;
use barrage_protocol::lines::{JSON_FRAME, LineItem, LineLog, LineReader, LinesError, TRAIL_BYTES_MAX};
use barrage_protocol::{BatchWriter, Class, MessageId, RoomId, Sequence};
use serde_json::{Value, json};

const VECTORS: &str = "../client/vectors/lines.json";

/// Frames of one room and what they say.
struct Made {
    log: LineLog,
    previous: u64,
}

impl Made {
    fn new() -> Self {
        Made { log: LineLog::default(), previous: 40 }
    }

    /// Makes the frames of the next batch: alone, and behind the lines before it.
    fn batch(&mut self, pulse: &Pulse, messages: &[(u64, Class, &str, Value)]) -> (Value, Value) {
        let sequence = messages.last().map_or(self.previous, |(sequence, ..)| *sequence);
        for (sequence, class, id, body) in messages {
            let id: Option<MessageId> = id.parse().ok();
            let body = body.to_string();
            let item = LineItem {
                sequence: Sequence(*sequence),
                class: *class,
                id: id.as_ref(),
                body: body.as_bytes(),
            };
            assert!(self.log.push(item));
        }
        let (from, to) = (Sequence(self.previous), Sequence(sequence));
        let writer =
            BatchWriter { previous: from, sequence: to, pulse: pulse.clone(), ..BatchWriter::default() };
        let mut batch = self.log.batch(&writer, messages.len(), TRAIL_BYTES_MAX).unwrap();
        let trail = batch.take_trail();
        let shown: Vec<_> = messages
            .iter()
            .map(|(sequence, class, _, body)| {
                let mut body = body.clone();
                if *class == Class::Chat {
                    body.as_object_mut().unwrap().remove("id");
                }
                json!({ "sequence": sequence, "class": class.label(), "body": body })
            })
            .collect();
        let mut json =
            json!({ "type": "batch", "previous": self.previous, "sequence": sequence, "messages": shown });
        if !pulse.is_empty() {
            json["pulse"] = serde_json::to_value(pulse).unwrap();
        }
        self.previous = sequence;
        let of = |frame: Vec<u8>| json!({ "frame": hex(&frame), "reads": json });
        (of(batch.alone(6)), of(batch.behind(&trail, 6)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn chat(sequence: u64, text: &str) -> (u64, Class, &'static str, Value) {
    let at_ms = 1_764_500_000_000_u64 + sequence * 7;
    let body = json!({ "type": "chat", "id": "c-1", "user": format!("u{}", sequence % 3), "name": "观众", "text": text,
        "at_ms": at_ms });
    (sequence, Class::Chat, "c-1", body)
}

fn made() -> Value {
    let mut room = Made::new();
    let refused = |frame: &Value| json!({ "frame": frame["frame"], "refused": true });
    let (first, _) =
        room.batch(&Pulse::default(), &[chat(41, "弹幕!"), chat(42, "a \"b\" \\ \n\t é"), chat(45, "")]);
    let gift = json!({ "type": "gift", "id": "g-1", "user": "u3", "name": "Cy", "gift": { "name": "rose", "count": 3 },
        "at_ms": 1_764_500_000_001_u64 });
    let signal = json!({ "type": "signal", "signal": "slow_mode", "secs": 5 });
    let likes = Pulse { likes: 310, online: Some(1_804), ..Pulse::default() };
    let mixed =
        [(47, Class::Gift, "g-1", gift), (48, Class::Signal, "", signal), chat(50, "弹幕!"), chat(51, "lol")];
    let (second_alone, second) = room.batch(&likes, &mixed);
    let (counters_alone, counters) = room.batch(&likes, &[]);
    let (third_alone, third) = room.batch(&Pulse::default(), &[chat(60, "lol"), chat(61, "弹幕!")]);
    let (fourth_alone, fourth) = room.batch(&Pulse::default(), &[chat(62, "lol")]);
    let hello = json!({ "type": "hello", "room": "demo", "connection": "c", "ping_interval_ms": 25_000, "sequence": 40,
        "resume": false, "online": 2 });
    let of_json = [&[JSON_FRAME][..], &deflate(hello.to_string().as_bytes(), 6)].concat();
    let hello = json!({ "frame": hex(&of_json), "reads": hello });
    json!([
        { "name": "each batch refers to the lines before it", "frames": [hello, first, second, counters, third, fourth] },
        { "name": "a newcomer gets batches that stand alone", "frames": [counters_alone, third_alone, fourth_alone] },
        { "name": "behind a hole the trail begins anew", "frames": [first, third_alone, fourth_alone, refused(&fourth)] },
        { "name": "counters of another position change nothing", "frames": [first, counters_alone, second] },
        { "name": "lines that were lost are found out",
          "frames": [first, second_alone, third_alone, fourth_alone, refused(&second)] },
        { "name": "lines that never came are found out", "frames": [refused(&second)] },
    ])
}

/// Reads all vectors as a client does.
#[test]
fn the_vectors_are_read_as_they_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(VECTORS);
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made()).unwrap() + "\n").unwrap();
    }
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let room: RoomId = "demo".parse().unwrap();
    for connection in vectors.as_array().unwrap() {
        let mut reader = LineReader::default();
        for vector in connection["frames"].as_array().unwrap() {
            let read = reader.read(&bytes(vector["frame"].as_str().unwrap()), &room, 1 << 20);
            if vector["refused"] == true {
                assert!(matches!(read, Err(LinesError::OtherTrail)), "{}", connection["name"]);
                continue;
            }
            let mut read: Value = serde_json::from_slice(&read.unwrap()).unwrap();
            let mut wanted = vector["reads"].clone();
            // A batch of lines has no room of its own: the Rust reader writes that of the last hello.
            for json in [&mut read, &mut wanted] {
                json.as_object_mut().unwrap().remove("room");
            }
            assert_eq!(read, wanted, "{}", connection["name"]);
        }
    }
    assert_eq!(
        vectors.as_array().unwrap().len(),
        made().as_array().unwrap().len(),
        "write the vectors again"
    );
}
