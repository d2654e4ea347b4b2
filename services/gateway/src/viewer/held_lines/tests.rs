//! Viewers read every batch rightly, in any wave, whatever they missed.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::PulseDraft;
use barrage_protocol::frame::{Batch, ServerFrame};
use barrage_protocol::lines::LineReader;
use barrage_protocol::{Class, Message, MessageId, RoomId};
use barrage_ws::Opcode;
use proptest::prelude::*;

use super::*;
use crate::room::{Batcher, Pace};

const LINES: Encoding = Encoding::Lines { effort: 6 };

fn room() -> RoomId {
    "demo".parse().unwrap()
}

/// A chat, or a gift now and then, whose body has its sequence.
fn message(sequence: u64) -> Arc<Message> {
    let class = if sequence.is_multiple_of(7) { Class::Gift } else { Class::Chat };
    let (label, id) = (class.label(), format!("id-{sequence}"));
    let text = ["666", "哈哈哈", "so beautiful"][sequence as usize % 3];
    let at_ms = 1_700_000_000_000 + sequence * 10;
    let body = format!(
        r#"{{"type":"{label}","id":"{id}","user":"u{}","name":"Ann","text":"{text} {sequence}","at_ms":{at_ms}}}"#,
        sequence % 5
    );
    Arc::new(Message {
        room: room(),
        sequence: Sequence(sequence),
        previous: Sequence(sequence - 1),
        class,
        sender: None,
        id: Some(id.parse::<MessageId>().unwrap()),
        to: None,
        at_ms,
        trace: None,
        body: body.into(),
    })
}

/// A connection: what the gateway keeps of it, and its client.
struct Seat {
    wave: usize,
    position: Sequence,
    held: HeldLines,
    reader: LineReader,
    /// Frames that referred to earlier lines.
    behind: u64,
}

impl Seat {
    fn new(wave: usize, position: Sequence) -> Self {
        Seat { wave, position, held: HeldLines::new(), reader: LineReader::default(), behind: 0 }
    }

    fn read(&mut self, frame: &[u8]) -> Batch {
        let place = barrage_ws::client::read(frame, usize::MAX).unwrap().unwrap();
        let payload = place.payload_in(frame);
        let json = match place.opcode {
            Opcode::Binary => self.reader.read(payload, &room(), 1 << 20).unwrap(),
            _ => payload.to_vec(),
        };
        match ServerFrame::parse(&json).unwrap() {
            ServerFrame::Batch(batch) => batch,
            other => panic!("{other:?}"),
        }
    }

    /// Takes a batch as a viewer does, or out of its queue.
    fn take(&mut self, batch: &SharedBatch, is_queued: bool) -> Result<(), TestCaseError> {
        let is_beside = match batch.messages.is_empty() {
            true => !batch.pulse.is_empty(),
            false => batch.previous == batch.sequence,
        };
        if batch.sequence <= self.position && !is_beside {
            return Ok(());
        }
        let position = self.position;
        self.position = batch.sequence.max(position);
        let frame = if is_queued {
            self.held.forget();
            batch.frame(LINES)
        } else {
            let peeked = self.held.peek(batch, position, LINES).as_ptr();
            let frame = self.held.frame(batch, position, LINES);
            prop_assert_eq!(peeked, frame.as_ptr(), "the shard encodes the frame that is written");
            frame
        };
        self.behind +=
            u64::from(batch.trail_from().is_some() && batch.frame_behind().is_some_and(|it| it == frame));
        let read = self.read(&frame.clone());
        prop_assert_eq!((read.previous, read.sequence), (batch.previous, batch.sequence));
        prop_assert_eq!(read.left_out.chat, batch.thinned);
        prop_assert_eq!(read.pulse.unwrap_or_default(), batch.pulse.clone());
        // A batch without lines goes as JSON, with the ids.
        let body = |it: &Message| match &batch.lines {
            Some(_) => shown(it),
            None => String::from_utf8(it.body.to_vec()).unwrap(),
        };
        let wanted: Vec<_> = batch.messages.iter().map(|it| (it.sequence, it.class, body(it))).collect();
        let got: Vec<_> =
            read.messages.iter().map(|it| (it.sequence, it.class, it.body.get().to_owned())).collect();
        prop_assert_eq!(got, wanted);
        Ok(())
    }
}

/// Body as a viewer of lines gets it.
fn shown(message: &Message) -> String {
    let id = format!(r#""id":"{}","#, message.id.as_ref().unwrap());
    let body = String::from_utf8(message.body.to_vec()).unwrap();
    if message.class == Class::Chat { body.replace(&id, "") } else { body }
}

fn pace(chat_share: f64, trail_bytes: usize) -> Pace {
    let (window, pulse) = (Duration::from_millis(50), Some(Duration::from_millis(200)));
    Pace {
        window,
        pulse,
        messages_max: 50,
        bytes_max: usize::MAX,
        bytes_due: usize::MAX,
        chat_share,
        effort: 6,
        trail_bytes,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Messages(u64),
    /// A message that nobody gets, because it was hidden.
    Hidden,
    /// A signal ahead of its place.
    Ahead,
    Likes,
    Flush {
        is_queued: bool,
    },
    Waves(usize),
    Joins(usize),
    /// The viewer repairs, resumes or changes its room: it is at another position.
    Moves(usize),
    /// The viewer resumes at a position that this gateway has not reached.
    ResumesAhead(usize),
    /// No viewer of the room reads lines for a while.
    ForgetsLines,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        6 => (1_u64..6).prop_map(Step::Messages),
        1 => Just(Step::Hidden),
        1 => Just(Step::Ahead),
        1 => Just(Step::Likes),
        9 => prop::bool::weighted(0.1).prop_map(|is_queued| Step::Flush { is_queued }),
        1 => (1_usize..4).prop_map(Step::Waves),
        1 => (0_usize..4).prop_map(Step::Joins),
        1 => (0_usize..4).prop_map(Step::Moves),
        1 => (0_usize..4).prop_map(Step::ResumesAhead),
        1 => Just(Step::ForgetsLines),
    ];
    prop::collection::vec(one, 1..150)
}

proptest! {
    #[test]
    fn every_viewer_reads_what_its_wave_was_sent(
        steps in steps(),
        trail_bytes in prop::sample::select(vec![0, 128, 1_024, 16_256]),
        chat_share in prop::sample::select(vec![0.5, 1.0]),
    ) {
        let mut batcher = Batcher::new(Sequence(9), pace(chat_share, trail_bytes));
        let (mut now, mut next) = (Duration::ZERO, 10);
        batcher.keep_lines(true);
        let mut seats: Vec<_> = (0..3).map(|wave| Seat::new(wave, Sequence(9))).collect();
        for step in steps {
            now += Duration::from_millis(60);
            match step {
                Step::Messages(count) => {
                    for _ in 0..count {
                        batcher.push(message(next), now);
                        next += 1;
                    }
                }
                Step::Hidden => {
                    batcher.pass(Sequence(next), now);
                    next += 1;
                }
                Step::Ahead => batcher.push_ahead(message(next + 40), now),
                Step::Likes => batcher.add_pulse(&PulseDraft { likes: 3, ..PulseDraft::default() }),
                Step::Waves(waves) => {
                    batcher.resize(waves);
                }
                Step::Joins(wave) => seats.push(Seat::new(wave, batcher.position())),
                Step::Moves(seat) => {
                    let position = batcher.position();
                    if let Some(seat) = seats.get_mut(seat) {
                        seat.held.forget();
                        seat.position = seat.position.max(position);
                    }
                }
                Step::ResumesAhead(seat) => {
                    if let Some(seat) = seats.get_mut(seat) {
                        seat.held.forget();
                        seat.position = seat.position.max(Sequence(next + 3));
                    }
                }
                Step::ForgetsLines => {
                    // Only while nobody reads lines: all of them join again.
                    batcher.keep_lines(false);
                    batcher.keep_lines(true);
                    let position = batcher.position();
                    for seat in &mut seats {
                        *seat = Seat::new(seat.wave, position);
                    }
                }
                Step::Flush { is_queued } if batcher.due().is_some() => {
                    let flushed = batcher.flush(now, &room());
                    let batch = SharedBatch::new(flushed.contents, 0, barrage_clock::now());
                    let waves = batcher.waves();
                    let served = seats.iter_mut().enumerate().filter(|(_, seat)| seat.wave % waves == flushed.wave);
                    for (index, seat) in served {
                        seat.take(&batch, is_queued && index == 0)?;
                    }
                    let is_ahead = batch.messages.iter().any(|it| it.sequence > batch.sequence);
                    prop_assert!(!is_ahead || batch.lines.is_none());
                }
                Step::Flush { .. } => {}
            }
        }
    }
}

#[test]
fn a_viewer_gets_the_small_frames_once_it_has_the_lines() {
    let mut batcher = Batcher::new(Sequence(9), pace(1.0, 512));
    batcher.keep_lines(true);
    let (mut seat, mut small, mut newcomer) = (Seat::new(0, Sequence(9)), 0, None);
    for n in 10..60 {
        let now = Duration::from_millis(n * 60);
        batcher.push(message(n), now);
        let batch = SharedBatch::new(batcher.flush(now, &room()).contents, 0, barrage_clock::now());
        seat.take(&batch, false).unwrap();
        let newcomer = newcomer.get_or_insert_with(|| Seat::new(0, Sequence(n)));
        if n > 40 {
            newcomer.take(&batch, false).unwrap();
            small += u64::from(newcomer.behind > 0);
        } else {
            newcomer.position = Sequence(n);
        }
    }
    assert!(seat.behind >= 45, "{} of 50", seat.behind);
    // 512 bytes are some twelve lines.
    assert!((3..12).contains(&small), "{small} of 19");
}

/// Counters go to every viewer. Here they pass hidden messages, and end before the position of a viewer that
/// another gateway had served up to 14.
#[test]
fn counters_that_end_before_the_position_of_a_viewer_bring_no_lines_up_to_it() {
    let mut batcher = Batcher::new(Sequence(7), pace(1.0, 64));
    batcher.keep_lines(true);
    let mut seat = Seat::new(0, Sequence(14));
    let mut flush = |batcher: &mut Batcher, ms| {
        let flushed = batcher.flush(Duration::from_millis(ms), &room());
        let batch = SharedBatch::new(flushed.contents, 0, barrage_clock::now());
        seat.take(&batch, false).unwrap();
        batch
    };
    batcher.push(message(8), Duration::ZERO);
    assert!(flush(&mut batcher, 0).lines.is_some());
    batcher.pass(Sequence(11), Duration::from_millis(60));
    batcher.add_pulse(&PulseDraft { likes: 3, ..PulseDraft::default() });
    let counters = flush(&mut batcher, 60);
    assert!(counters.messages.is_empty() && !counters.pulse.is_empty() && counters.lines.is_some());
    assert_eq!((counters.previous, counters.sequence), (Sequence(8), Sequence(11)));
    for n in 12..15 {
        batcher.push(message(n), Duration::from_millis(120));
    }
    assert_eq!(flush(&mut batcher, 120).sequence, Sequence(14));
    batcher.push(message(15), Duration::from_millis(180));
    let next = flush(&mut batcher, 180);
    assert_eq!(next.trail_from(), Some(Sequence(14)));
    assert_eq!((seat.position, seat.behind), (Sequence(15), 0));
}
