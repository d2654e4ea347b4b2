//! What is written is read, whatever was lost on the way.

use proptest::prelude::*;
use serde_json::Value;

use super::form::{join, split};
use super::*;
use crate::batch::{BatchWriter, Pulse};
use crate::{BatchItem, Class, MessageId, RoomId, Sequence};

const BYTES_MAX: usize = 1 << 20;

fn room() -> RoomId {
    RoomId::parse("demo").unwrap()
}

/// A message as the gateway has it.
#[derive(Debug, Clone)]
struct Sample {
    sequence: u64,
    class: Class,
    id: Option<MessageId>,
    body: String,
}

impl Sample {
    fn item(&self) -> LineItem<'_> {
        let sequence = Sequence(self.sequence);
        LineItem { sequence, class: self.class, id: self.id.as_ref(), body: self.body.as_bytes() }
    }

    /// Body as viewers get it: a chat without its id.
    fn shown(&self) -> Value {
        let mut body: Value = serde_json::from_str(&self.body).unwrap();
        if self.class == Class::Chat {
            body.as_object_mut().unwrap().remove("id");
        }
        body
    }
}

fn chat(n: u64, text: &str) -> Sample {
    let body = format!(
        r#"{{"type":"chat","id":"c-{n}","user":"u{}","name":"观众{}","text":{},"at_ms":{}}}"#,
        n % 7,
        n % 7,
        Value::from(text),
        1_700_000_000_000 + n * 13
    );
    Sample { sequence: n, class: Class::Chat, id: Some(format!("c-{n}").parse().unwrap()), body }
}

fn gift(n: u64) -> Sample {
    let body = format!(
        r#"{{"type":"gift","id":"g-{n}","user":"u1","name":"Ann","gift":{{"name":"rose","count":{n}}},"at_ms":{}}}"#,
        1_700_000_000_000 - n
    );
    Sample { sequence: n, class: Class::Gift, id: Some(format!("g-{n}").parse().unwrap()), body }
}

fn signal(n: u64) -> Sample {
    let body = format!(r#"{{"type":"signal","signal":"slow_mode","secs":{n}}}"#);
    Sample { sequence: n, class: Class::Signal, id: None, body }
}

fn writer(previous: u64, sequence: u64) -> BatchWriter {
    BatchWriter { previous: Sequence(previous), sequence: Sequence(sequence), ..BatchWriter::default() }
}

/// JSON of a batch in the encoding `json`, with the chats' ids left out.
fn expected(writer: &BatchWriter, samples: &[Sample]) -> Value {
    let bodies: Vec<String> = samples.iter().map(|sample| sample.shown().to_string()).collect();
    let mut json = Vec::new();
    let items = samples.iter().zip(&bodies).map(|(sample, body)| BatchItem {
        sequence: Sequence(sample.sequence),
        class: sample.class,
        body: body.as_bytes(),
    });
    writer.write(&mut json, &room(), items);
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_body_is_the_same_after_it_was_split_and_joined() {
    let id: MessageId = "x-1".parse().unwrap();
    for (body, form, values) in [
        ("{}", "signal{}", ""),
        (r#"{"type":"a","at_ms":5}"#, "signal{\"type\":\"a\",\"at_ms\":\u{1}}", ""),
        (
            r#"{"a":"","b":null,"c":[1,"]",{"d":"}"}]}"#,
            "signal{\"a\":\"\t\",\"b\":\t,\"c\":\t}",
            "\t\tnull\t[1,\"]\",{\"d\":\"}\"}]",
        ),
        (r#"{"text":"a\"\\","id":"x-1"}"#, "signal{\"text\":\"\t\",\"id\":\"\t\"}", "\ta\\\"\\\\\tx-1"),
        (r#"{"at_ms":-5}"#, "signal{\"at_ms\":\t}", "\t-5"),
        (r#"{"at_ms":007}"#, "signal{\"at_ms\":\t}", "\t007"),
        (r#"{"at_ms":1.5,"x":"é"}"#, "signal{\"at_ms\":\t,\"x\":\"\t\"}", "\t1.5\té"),
    ] {
        let split = split(Class::Signal, Some(&id), body).unwrap();
        assert_eq!((split.form.as_str(), split.values.as_str()), (form, values));
        let mut joined = String::new();
        let values = split.values.split('\t').skip(1);
        join(&mut joined, &split.form["signal".len()..], split.at_ms.unwrap_or(9), values).unwrap();
        assert_eq!(joined, body);
    }
}

#[test]
fn only_a_chat_leaves_its_senders_id_out() {
    let id: MessageId = "x-1".parse().unwrap();
    let form = |class, id, body| split(class, id, body).unwrap().form;
    let body = r#"{"id":"x-1","user":"u"}"#;
    assert_eq!(form(Class::Chat, Some(&id), body), "chat{\"user\":\"\t\"}");
    assert_eq!(form(Class::Chat, Some(&id), r#"{"user":"u","id":"x-1"}"#), "chat{\"user\":\"\t\"}");
    assert_eq!(form(Class::Chat, None, body), "chat{\"id\":\"\t\",\"user\":\"\t\"}");
    assert_eq!(form(Class::Chat, Some(&id), r#"{"id":"y"}"#), "chat{\"id\":\"\t\"}");
    assert_eq!(form(Class::Gift, Some(&id), body), "gift{\"id\":\"\t\",\"user\":\"\t\"}");
}

#[test]
fn what_is_no_object_in_compact_json_has_no_line() {
    for body in [
        "",
        "[]",
        "null",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1"#,
        r#"{"a":1}x"#,
        r#"{"a":1,}"#,
        "{\"a\":\n1}",
        r#"{"a":]}"#,
        r#"{"a":"\"#,
    ] {
        assert_eq!(split(Class::Chat, None, body), None, "{body}");
    }
    let mut log = LineLog::default();
    assert!(log.push(chat(1, "a").item()));
    assert!(!log.push(LineItem { body: b"[]", ..chat(2, "b").item() }));
    assert!(log.batch(&writer(0, 2), 2, 0).is_none(), "the batch goes as JSON");
    assert!(log.push(chat(3, "a").item()));
    assert!(!log.push(chat(3, "a").item()), "out of order");
    assert_eq!(log.bytes(), 0);
}

#[test]
fn a_batch_of_counters_moves_nothing() {
    let (mut log, mut reader) = (LineLog::default(), LineReader::default());
    let counters = |at| BatchWriter { pulse: Pulse { likes: 7, ..Pulse::default() }, ..writer(at, at) };
    assert!(log.batch(&counters(5), 0, 0).is_none(), "there is no line yet");
    let samples: Vec<_> = (6..=20).map(|n| chat(n, "hello hello")).collect();
    samples.iter().for_each(|sample| assert!(log.push(sample.item())));
    let first = log.batch(&writer(5, 15), 10, TRAIL_BYTES_MAX).unwrap();
    reader.read(&first.alone(6), &room(), BYTES_MAX).unwrap();
    // Another viewer's position, and the own one.
    for at in [12, 15] {
        let mut pulse = log.batch(&counters(at), 0, TRAIL_BYTES_MAX).unwrap();
        let trail = pulse.take_trail();
        let frame = if at == 15 { pulse.behind(&trail, 6) } else { pulse.alone(6) };
        let json = reader.read(&frame, &room(), BYTES_MAX).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected(&counters(at), &[]));
    }
    let mut next = log.batch(&writer(15, 20), 5, TRAIL_BYTES_MAX).unwrap();
    let trail = next.take_trail();
    let json = reader.read(&next.behind(&trail, 6), &room(), BYTES_MAX).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected(&writer(15, 20), &samples[10..]));
}

/// Makes a frame of any text.
fn frame(units: u8, text: &str) -> Vec<u8> {
    let mut frame = vec![units];
    frame.extend_from_slice(&check(text.as_bytes()));
    crate::deflate::deflate_behind(&mut frame, &dictionary(&[]), text.as_bytes(), 6);
    frame
}

#[test]
fn the_example_of_the_page_is_read_as_it_says() {
    const PAGE: &str = include_str!("../../../../docs/reference/protocol.md");
    let (_, section) = PAGE.split_once("\n### Lines\n").unwrap();
    let blocks: Vec<_> = section.split("\n```").skip(1).step_by(2).collect();
    let text = blocks[0].strip_prefix("text\n").unwrap().replace('→', "\t").replace('⌂', "\u{1}") + "\n";
    let json = blocks[1].strip_prefix("json server-frame\n").unwrap();
    let mut wanted: Value = serde_json::from_str(json).unwrap();
    wanted["room"] = "demo".into();
    let read = LineReader::default().read(&frame(0, &text), &room(), BYTES_MAX).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&read).unwrap(), wanted);
}

#[test]
fn forged_frames_are_errors() {
    let read = |frame: &[u8], max| LineReader::default().read(frame, &room(), max);
    assert!(read(&frame(0, "5\t1\t\n0\t0\tchat{\"a\":\t}\n\t1\n"), 200).is_ok());
    for text in [
        "",
        "5\t1\t",
        "\t1\t\n",
        "5\t1\n0\t0\t\n",
        "-5\t1\t\n0\t0\t\n",
        "5\t1\t\n0\t0\n",
        "5\t1\t\n7\t0\t\n",
        "5\t1\t\n0\t0\t\n\t1\n",
        "5\t1\t\n0\t0\tchat{\"a\":\t}\n\t1\t2\n",
        "5\t1\t\n0\t0\tchat{\"a\":\t}\n\n",
        "5\t1\t\n0\t0\tchat{}\n-1\n",
        "5\t1\t\n0\t0\tchat{}\n x\n",
        "5\t1\t\n0\t0\tchat\n\n",
        "5\t18446744073709551615\t\n0\t0\tchat{}\n\n",
    ] {
        assert!(matches!(read(&frame(0, text), 200), Err(LinesError::Malformed)), "{text:?}");
    }
    assert!(matches!(read(&frame(1, "\t1\t\n"), 200), Err(LinesError::OtherTrail)), "no trail was received");
    assert!(matches!(read(&[0, 1], 200), Err(LinesError::Malformed)));
    let mut other = frame(0, "5\t1\t\n0\t0\tchat{}\n\n");
    other[3] ^= 1;
    assert!(matches!(read(&other, 200), Err(LinesError::OtherTrail)), "the check differs");
    // A long form and many lines: each line of two bytes would have a kilobyte.
    let bomb = format!("5\t1\t\n0\t0\tchat{{\"{}\":\t}}\n{}", "a".repeat(1_000), "\t1\n".repeat(1_000));
    assert!(matches!(read(&frame(0, &bomb), 10_000), Err(LinesError::Inflate(_))));
}

/// Viewer whose connection loses frames, and what the gateway believes that it has.
#[derive(Default)]
struct Seat {
    reader: LineReader,
    position: u64,
    /// Position since which it has all lines; `None` while it has none.
    since: Option<u64>,
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let one = (
        0_u8..10,
        prop::sample::select(vec!["哈哈哈", "666", "a\"b\\c", "so beautiful", "", "\u{1}\t"]),
        1_u64..4,
    );
    prop::collection::vec(one, 1..120).prop_map(|all| {
        let mut sequence = 0;
        let of = |(kind, text, step): (u8, &str, u64)| {
            sequence += step;
            match kind {
                0 => gift(sequence),
                1 => signal(sequence),
                _ => chat(sequence, text),
            }
        };
        all.into_iter().map(of).collect()
    })
}

proptest! {
    /// Any part of the batches may be lost, any viewer may begin anywhere and in any wave: what is read is
    /// right, and a frame that refers to lines that were lost is an error.
    #[test]
    fn nothing_is_read_wrongly_whatever_was_lost(
        samples in samples(),
        sizes in prop::collection::vec(0_usize..9, 1..40),
        lost in prop::collection::vec(prop::bool::weighted(0.2), 40),
        trail_bytes in prop::sample::select(vec![0, 64, 200, 1_000, TRAIL_BYTES_MAX]),
    ) {
        let (mut log, mut seat, mut deaf) = (LineLog::default(), Seat::default(), LineReader::default());
        let (mut rest, mut previous) = (&samples[..], 0);
        for (size, is_lost) in sizes.iter().zip(&lost) {
            let (batch, behind) = rest.split_at((*size).min(rest.len()));
            rest = behind;
            for sample in batch {
                prop_assert!(log.push(sample.item()));
            }
            // The chain may advance by messages that nobody gets.
            let writer = writer(previous, batch.last().map_or(previous, |last| last.sequence));
            let Some(mut lines) = log.batch(&writer, batch.len(), trail_bytes) else {
                prop_assert!(batch.is_empty() && previous == 0);
                continue;
            };
            let trail = lines.take_trail();
            let wanted = expected(&writer, batch);
            let follows = seat.since.is_some_and(|since| {
                seat.position == previous && lines.trail_from().is_some_and(|from| since < from.0)
            });
            let frame = if follows { lines.behind(&trail, 6) } else { lines.alone(6) };
            if !is_lost {
                let json = seat.reader.read(&frame, &room(), BYTES_MAX).unwrap();
                prop_assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), wanted.clone());
                if !batch.is_empty() {
                    if seat.since.is_none() || seat.position != previous {
                        seat.since = Some(previous);
                    }
                    seat.position = writer.sequence.0;
                }
            }
            // A reader that gets every frame, and some of the wrong kind: it never reads another text.
            let foreign = if *is_lost { lines.alone(6) } else { lines.behind(&trail, 6) };
            if let Ok(json) = deaf.read(&foreign, &room(), BYTES_MAX) {
                let read: Value = serde_json::from_slice(&json).unwrap();
                prop_assert_eq!(&read["messages"], &wanted["messages"]);
            }
            log.trim(writer.sequence, trail_bytes);
            prop_assert!(log.bytes() <= trail_bytes + TRAIL_UNIT_BYTES + 400);
            previous = writer.sequence.0;
        }
    }
}
