//! Bytes of messages on the wire: what attributes add to a deflated batch.

use barrage_protocol::deflate::deflate;
use barrage_protocol::lines::{LineItem, LineLog, TRAIL_BYTES_MAX};
use barrage_protocol::{BatchItem, BatchWriter, Class, MessageId, RoomId, Sequence, UserAttrs};
use serde_json::json;

/// Messages of one batch, as a hot room has them in a window.
const MESSAGES: u64 = 50;
/// Batches of which the mean is taken.
const BATCHES: u64 = 20;
const RECORDING: &str = include_str!("../../../recording/assets/demo.xml");

/// Numbers without a pattern, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, max: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % max
    }
}

/// Texts of the chats of a recording.
fn texts() -> Vec<&'static str> {
    let texts = RECORDING.split("</d>").filter_map(|item| item.rsplit('>').next());
    texts.filter(|text| !text.trim().is_empty()).collect()
}

/// Returns the mean of the batches of all seeds, as deflated JSON.
fn mean_bytes(badges: u64) -> f64 {
    (0..BATCHES).map(|seed| deflated(&bodies(badges, seed))).sum::<f64>() / BATCHES as f64
}

/// Returns the mean of the batches of all seeds as lines, for a viewer that gets one after the other.
fn mean_bytes_of_lines(badges: u64) -> f64 {
    let (mut log, mut previous, mut bytes) = (LineLog::default(), 1_000, 0);
    for seed in 0..BATCHES {
        for (body, id) in bodies(badges, seed) {
            previous += 1;
            let id: MessageId = id.parse().expect("the id has the form of ids");
            let (sequence, class) = (Sequence(previous), Class::Chat);
            assert!(log.push(LineItem { sequence, class, id: Some(&id), body: body.as_bytes() }));
        }
        let (previous, sequence) = (Sequence(previous - MESSAGES), Sequence(previous));
        let writer = BatchWriter { previous, sequence, ..BatchWriter::default() };
        let mut batch =
            log.batch(&writer, MESSAGES as usize, TRAIL_BYTES_MAX).expect("the log has the batch");
        let trail = batch.take_trail();
        bytes += if trail.is_empty() { batch.alone(6).len() } else { batch.behind(&trail, 6).len() };
        log.trim(sequence, TRAIL_BYTES_MAX);
    }
    bytes as f64 / (BATCHES * MESSAGES) as f64
}

/// Returns the bodies of a batch with their ids.
fn bodies(badges: u64, seed: u64) -> Vec<(String, String)> {
    let (texts, mut numbers) = (texts(), Numbers(seed));
    let mut at_ms = 1_764_500_000_000;
    (0..MESSAGES)
        .map(|_| {
            at_ms += 1 + numbers.below(20);
            // As the page makes them.
            let id: String = (0..8)
                .map(|_| char::from(b"0123456789abcdefghijklmnopqrstuv"[numbers.below(32) as usize]))
                .collect();
            let of = |kind: &str, version: u64| format!("{kind}/{version}");
            let worn =
                [of("member", [1, 3, 6, 12, 24][numbers.below(5) as usize]), of("fan", numbers.below(20))];
            let attrs = json!({ "badges": worn[..badges as usize] });
            let attrs: UserAttrs = serde_json::from_value(attrs).expect("badges have the form of attributes");
            let attrs = (!attrs.is_empty()).then(|| {
                format!(r#""attrs":{},"#, serde_json::to_string(&attrs).expect("attributes are plain data"))
            });
            let text = texts[numbers.below(texts.len() as u64) as usize];
            let body = format!(
                r#"{{"type":"chat","id":"{id}","user":"u{}","name":"观众{}",{}"text":{},"at_ms":{at_ms}}}"#,
                numbers.below(100_000),
                numbers.below(10_000),
                attrs.unwrap_or_default(),
                json!(text)
            );
            (body, id)
        })
        .collect()
}

/// Returns the bytes of a message of a batch at the gateway's default effort.
fn deflated(bodies: &[(String, String)]) -> f64 {
    let items = bodies.iter().zip(1_001..).map(|((body, _), sequence)| BatchItem {
        sequence: Sequence(sequence),
        class: Class::Chat,
        body: body.as_bytes(),
    });
    let mut frame = Vec::new();
    let writer = BatchWriter {
        previous: Sequence(1_000),
        sequence: Sequence(1_000 + MESSAGES),
        ..BatchWriter::default()
    };
    writer.write(&mut frame, &RoomId::parse("demo").expect("the id is well formed"), items);
    deflate(&frame, 6).len() as f64 / MESSAGES as f64
}

#[test]
fn a_message_with_two_badges_has_at_most_41_bytes() {
    let (plain, badged) = (mean_bytes(0), mean_bytes(2));
    println!("bytes a message: {plain} without badges, {badged} with two");
    // For clients that do not read lines.
    assert!(badged <= 41.0, "{badged} bytes, {plain} without badges");
    assert!(badged > plain && badged - plain < 8.0, "two badges add {}", badged - plain);
}

#[test]
fn a_line_with_two_badges_has_at_most_30_bytes() {
    let (plain, badged) = (mean_bytes_of_lines(0), mean_bytes_of_lines(2));
    println!("bytes of a line: {plain} without badges, {badged} with two");
    assert!(badged <= 30.0 && badged > plain, "{badged} bytes, {plain} without badges");
}
