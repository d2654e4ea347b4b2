use barrage_bus::{Change, RoomPatch, RoomSettings};
use bytes::Bytes;

use super::*;

fn message(
    sequence: u64,
    class: Class,
    sender: Option<&str>,
    body: &'static str,
    at_ms: u64,
) -> Arc<Message> {
    Arc::new(Message {
        room: "demo".parse().unwrap(),
        sequence: Sequence(sequence),
        previous: Sequence(sequence - 1),
        class,
        sender: sender.map(|user| user.parse().unwrap()),
        id: None,
        to: None,
        at_ms,
        trace: None,
        body: Bytes::from_static(body.as_bytes()),
    })
}

#[test]
fn moderators_of_a_room_with_a_delay_have_a_view_of_their_own() {
    let (room, user): (RoomId, UserId) = ("demo".parse().unwrap(), "u".parse().unwrap());
    let mut settings = Settings::default();
    settings.rooms.insert(room.clone(), RoomSettings::default());
    let view = |settings: &Settings, role| View::of(settings, &room, Some(&user), role);
    assert_eq!(view(&settings, Role::Host), View::Everyone, "without a delay there is one view");
    let limits = barrage_bus::BusConfig::default();
    let delay = Change::Patch(room.clone(), RoomPatch::ModerationDelay { secs: 3 });
    settings.apply(&delay, &limits, 0).unwrap();
    let views =
        [Role::Probe, Role::Viewer, Role::Moderator, Role::Host, Role::Admin].map(|r| view(&settings, r));
    assert_eq!(views, [View::Everyone, View::Everyone, View::Staff, View::Staff, View::Staff]);
    let give = Change::Role { room: room.clone(), user: user.clone(), role: RoomRole::Moderator };
    settings.apply(&give, &limits, 0).unwrap();
    assert_eq!(view(&settings, Role::Viewer), View::Staff);
    assert_eq!(View::of(&settings, &room, None, Role::Viewer), View::Everyone);
}

#[test]
fn a_message_that_is_hidden_within_the_delay_is_in_no_answer() {
    let hides = Hides::default();
    let all = || {
        vec![
            message(1, Class::Chat, Some("ann"), "{}", 0),
            message(2, Class::Gift, Some("bo"), "{}", 0),
            message(3, Class::Signal, None, r#"{"type":"signal","signal":"announcement","text":"x"}"#, 0),
            message(9, Class::Chat, Some("ann"), "{}", 0),
        ]
    };
    let left = |hides: &Hides| {
        let mut messages = all();
        hides.filter(&mut messages);
        messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>()
    };
    assert_eq!(left(&hides), [1, 2, 3, 9]);
    let signal = |sequence, body| Hide::of(&message(sequence, Class::Signal, None, body, 0));
    assert_eq!(signal(5, r#"{"type":"signal","signal":"slow_mode","secs":5}"#), None);
    assert_eq!(Hide::of(&message(5, Class::Chat, None, r#"{"signal":"clear"}"#, 0)), None);
    hides.add(signal(5, r#"{"type":"signal","signal":"purge","user":"ann"}"#).unwrap());
    assert_eq!(left(&hides), [2, 3, 9], "later messages of the user stay");
    hides.add(signal(6, r#"{"type":"signal","signal":"recall","sequence":3}"#).unwrap());
    assert_eq!(left(&hides), [2, 9], "an announcement is recalled");
    hides.add(signal(7, r#"{"type":"signal","signal":"clear"}"#).unwrap());
    assert_eq!(left(&hides), [9]);
    for n in 0..HIDES_MAX as u64 {
        let other = Hide { at: Sequence(100 + n), what: Hidden::Message(Sequence(50)) };
        hides.add(other);
    }
    assert_eq!(hides.0.lock().len(), HIDES_MAX);
}

#[test]
fn messages_are_due_by_the_time_of_their_acceptance() {
    let mut queue = DelayQueue::default();
    assert_eq!((queue.due_in(3_000, 5_000), queue.position()), (None, None));
    queue.push(message(1, Class::Chat, None, "{}", 10_000));
    queue.push(message(2, Class::Chat, None, "{}", 10_500));
    assert_eq!(queue.due_in(3_000, 11_000), Some(Duration::from_millis(2_000)));
    assert!(queue.pop_due(3_000, 12_999).is_none());
    assert_eq!(queue.pop_due(3_000, 13_000).unwrap().sequence, Sequence(1));
    assert!(queue.pop_due(3_000, 13_000).is_none());
    assert_eq!(queue.pop_due(0, 13_000).unwrap().sequence, Sequence(2), "the delay was ended");
    assert!(queue.is_empty());
}
