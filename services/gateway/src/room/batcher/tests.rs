use proptest::prelude::*;

use barrage_protocol::Class;

use super::*;
use crate::room::message;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn pace() -> Pace {
    Pace {
        window: ms(50),
        pulse: Some(ms(1000)),
        messages_max: 3,
        bytes_max: usize::MAX,
        bytes_due: usize::MAX,
        chat_share: 1.0,
        effort: 3,
        trail_bytes: 1_024,
    }
}

fn likes(likes: u64) -> PulseDraft {
    PulseDraft { likes, ..PulseDraft::default() }
}

fn entries(entries: u64) -> PulseDraft {
    PulseDraft { entries, ..PulseDraft::default() }
}

#[test]
fn a_signal_ahead_of_its_place_and_a_hidden_message_keep_the_chain() {
    let room = "r".parse().unwrap();
    let mut batcher = Batcher::new(Sequence(4), pace());
    batcher.push_ahead(message(9, Class::Signal), ms(0));
    assert_eq!((batcher.due(), batcher.position()), (Some(Duration::ZERO), Sequence(4)));
    let ahead = batcher.flush(ms(0), &room).contents;
    assert_eq!((ahead.previous, ahead.sequence, ahead.messages.len()), (Sequence(4), Sequence(4), 1));
    assert_eq!(batcher.due(), None);
    batcher.push(message(5, Class::Chat), ms(60));
    batcher.pass(Sequence(6), ms(61));
    let batch = batcher.flush(ms(62), &room).contents;
    assert_eq!((batch.previous, batch.sequence), (Sequence(4), Sequence(6)));
    assert_eq!((batch.messages.len(), batch.thinned), (1, 0), "a hidden message is no drop");
    batcher.pass(Sequence(7), ms(200));
    let empty = batcher.flush(ms(200), &room).contents;
    assert_eq!((empty.previous, empty.sequence, empty.messages.len()), (Sequence(6), Sequence(7), 0));
}

#[test]
fn a_quiet_room_sends_at_once_and_a_busy_one_by_its_window() {
    let room = "r".parse().unwrap();
    let chat = |sequence| message(sequence, Class::Chat);
    let mut batcher = Batcher::new(Sequence(4), pace());
    assert_eq!(batcher.due(), None);
    batcher.push(chat(5), ms(10));
    assert_eq!(batcher.due(), Some(Duration::ZERO));
    let batch = batcher.flush(ms(10), &room).contents;
    assert_eq!((batch.previous, batch.sequence), (Sequence(4), Sequence(5)));
    batcher.push(chat(6), ms(11));
    batcher.push(chat(7), ms(12));
    assert_eq!(batcher.due(), Some(ms(60)));
    batcher.push(chat(8), ms(13));
    assert_eq!(batcher.due(), Some(Duration::ZERO), "full");
    assert_eq!(batcher.flush(ms(20), &room).contents.messages.len(), 3);
    batcher.add_pulse(&likes(3));
    assert_eq!(batcher.due(), Some(Duration::ZERO));
    assert_eq!(batcher.flush(ms(30), &room).contents.pulse.likes, 3);
    batcher.add_pulse(&likes(4));
    batcher.add_pulse(&entries(2));
    assert_eq!(batcher.due(), Some(ms(1030)));
    batcher.push(chat(9), ms(40));
    assert_eq!(batcher.flush(ms(70), &room).contents.pulse.likes, 0, "once a second at most");
    batcher.push(chat(10), ms(1035));
    let pulse = batcher.flush(ms(1040), &room).contents.pulse;
    assert_eq!((pulse.likes, pulse.entries), (4, 2));
    batcher.set_online(2);
    batcher.flush(ms(2100), &room);
    batcher.set_online(2);
    assert_eq!(batcher.due(), None, "an unchanged count is not sent");
}

#[test]
fn dropped_chat_closes_the_chain_and_gifts_stay() {
    let room = "r".parse().unwrap();
    let mut batcher = Batcher::new(Sequence(0), Pace { chat_share: 0.25, messages_max: 10_000, ..pace() });
    let mut kept = 0;
    for sequence in 1..=4_000 {
        let class = if sequence % 4 == 0 { Class::Gift } else { Class::Chat };
        kept += u64::from(batcher.push(message(sequence, class), ms(0)));
    }
    assert!((1_650..1_850).contains(&kept), "1000 gifts and a quarter of the chat: {kept}");
    let squeezed = batcher.squeeze();
    assert!(squeezed == 0, "a half is more than a quarter: the same sample");
    let squeezed = batcher.squeeze() + batcher.squeeze();
    assert!((300..450).contains(&squeezed), "{squeezed}");
    assert_eq!(batcher.holds().gift, 1_000);
    let batch = batcher.flush(ms(1), &room).contents;
    assert_eq!(batch.messages.len() as u64 + batch.thinned, 4_000);
    assert_eq!((batch.previous, batch.sequence), (Sequence(0), Sequence(4_000)));
}

#[test]
fn a_batch_is_sent_for_the_chain_when_all_its_chat_is_dropped() {
    let mut batcher = Batcher::new(Sequence(0), Pace { chat_share: 0.0, ..pace() });
    assert!(!batcher.push(message(1, Class::Chat), ms(0)));
    assert_eq!(batcher.due(), Some(Duration::ZERO));
    let batch = batcher.flush(ms(0), &"r".parse().unwrap()).contents;
    assert_eq!((batch.messages.len(), batch.thinned, batch.sequence), (0, 1, Sequence(1)));
}

#[test]
fn sums_alone_are_not_due_without_pulses() {
    let mut batcher = Batcher::new(Sequence(0), Pace { pulse: None, ..pace() });
    batcher.add_pulse(&likes(5));
    batcher.set_online(7);
    assert_eq!(batcher.due(), None);
    assert_eq!(batcher.drop_pulse(), 5);
}

#[test]
fn waves_are_served_in_turn_up_to_the_newest_message() {
    let room = "r".parse().unwrap();
    let mut batcher = Batcher::new(Sequence(0), Pace { messages_max: 100, ..pace() });
    let chat = |sequence| message(sequence, Class::Chat);
    assert_eq!(batcher.resize(2), Resized::default());
    batcher.push(chat(1), ms(0));
    let first = batcher.flush(ms(0), &room);
    assert_eq!((first.wave, first.gathered.chat), (0, 1));
    assert_eq!(batcher.waves_hold().chat, 1);
    // The other wave's turn is at once, with the message that has come meanwhile.
    assert_eq!(batcher.due(), Some(Duration::ZERO));
    batcher.push(chat(2), ms(5));
    let second = batcher.flush(ms(8), &room);
    assert_eq!((second.wave, second.gathered.chat), (1, 1));
    assert_eq!((first.due, second.due), (Some(ms(0)), Some(ms(0))), "the first of both came then");
    assert_eq!((second.contents.previous, second.contents.sequence), (Sequence(0), Sequence(2)));
    assert_eq!(batcher.due(), Some(ms(50)), "a window after its last");
    let third = batcher.flush(ms(50), &room);
    assert_eq!((third.wave, third.contents.previous, third.contents.messages.len()), (0, Sequence(1), 1));
    assert_eq!(third.due, Some(ms(50)));
    assert_eq!(batcher.due(), None, "both have everything");
    batcher.push(chat(3), ms(52));
    assert_eq!(batcher.due(), Some(ms(58)));
    // A third one stands where the last of the others does.
    batcher.flush(ms(58), &room);
    let resized = batcher.resize(3);
    assert_eq!(resized.took.chat, 1);
    let contents: Vec<_> = [ms(100), ms(101)].map(|at| batcher.flush(at, &room).contents).into();
    assert!(contents.iter().all(|it| (it.previous, it.sequence) == (Sequence(2), Sequence(3))));
    batcher.push(chat(4), ms(190));
    batcher.flush(ms(200), &room);
    assert_eq!(batcher.resize(1).gone.chat, 1);
    assert_eq!(batcher.due(), Some(ms(150)));
}

#[test]
fn a_batch_that_fills_the_socket_goes_before_its_window_ends_and_is_not_full() {
    let room = "r".parse().unwrap();
    let bytes = message(1, Class::Chat).body.len();
    let pace = Pace { messages_max: 100, bytes_due: 3 * bytes, ..pace() };
    let mut batcher = Batcher::new(Sequence(0), pace);
    batcher.push(message(1, Class::Chat), ms(0));
    batcher.flush(ms(0), &room);
    for sequence in 2..4 {
        batcher.push(message(sequence, Class::Chat), ms(10));
    }
    assert_eq!(batcher.due(), Some(ms(50)), "the end of the window");
    batcher.push(message(4, Class::Chat), ms(12));
    assert_eq!((batcher.due(), batcher.is_full()), (Some(Duration::ZERO), false));
    assert_eq!(batcher.flush(ms(12), &room).contents.messages.len(), 3);
    batcher.push(message(5, Class::Chat), ms(13));
    assert_eq!(batcher.due(), Some(ms(62)), "a window after the batch that went early");
}

#[test]
fn every_wave_gets_the_sums_once() {
    let room = "r".parse().unwrap();
    let mut batcher = Batcher::new(Sequence(0), pace());
    batcher.resize(2);
    batcher.add_pulse(&likes(3));
    batcher.set_online(7);
    let pulses = [ms(1), ms(2)].map(|at| batcher.flush(at, &room).contents.pulse);
    assert!(pulses.iter().all(|pulse| (pulse.likes, pulse.online) == (3, Some(7))), "{pulses:?}");
    assert_eq!(batcher.due(), None);
}

proptest! {
    #[test]
    fn each_wave_gets_a_closed_chain_and_every_gift_once(steps in prop::collection::vec((0_u8..4, 1_usize..5), 1..200)) {
        let room = "r".parse().unwrap();
        let mut batcher = Batcher::new(Sequence(0), Pace { messages_max: 8, ..pace() });
        let (mut sequence, mut now, mut sent) = (0, ms(0), vec![0]);
        for (step, n) in steps {
            now += ms(7);
            match step {
                0 | 1 => {
                    sequence += 1;
                    batcher.push(message(sequence, if n == 1 { Class::Chat } else { Class::Gift }), now);
                    if batcher.is_full() {
                        batcher.squeeze();
                    }
                }
                2 => {
                    batcher.resize(n);
                    let last = sent.iter().min().copied().unwrap_or_default();
                    sent.resize(n, last);
                }
                _ => {
                    let Flushed { wave, contents, .. } = batcher.flush(now, &room);
                    prop_assert_eq!(contents.previous, Sequence(sent[wave]));
                    let covered = contents.sequence.0 - contents.previous.0;
                    prop_assert_eq!(contents.messages.len() as u64 + contents.thinned, covered);
                    sent[wave] = contents.sequence.0;
                }
            }
        }
    }
}
