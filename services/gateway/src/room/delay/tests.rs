use barrage_bus::{Change, RoomPatch, RoomSettings};
use barrage_protocol::Class;
use bytes::Bytes;

use super::*;

fn message(sequence: u64, body: &'static str) -> Arc<Message> {
    Arc::new(Message {
        room: "demo".parse().unwrap(),
        sequence: Sequence(sequence),
        previous: Sequence(sequence - 1),
        class: if body.contains("signal") { Class::Signal } else { Class::Chat },
        sender: Some("ann".parse().unwrap()),
        id: None,
        to: None,
        // The clock of another machine is an hour ahead.
        at_ms: barrage_clock::unix_ms() + 3_600_000,
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
fn messages_are_due_by_the_time_since_they_came() {
    let mut queue = DelayQueue::default();
    assert_eq!((queue.due_in(3_000, 5_000), queue.position()), (None, None));
    queue.push(Sequence(1), Some(message(1, "{}")), 0, 10_000);
    queue.push(Sequence(2), Some(message(2, "{}")), 2_000, 10_500);
    assert_eq!(queue.due_in(3_000, 11_000), Some(Duration::from_millis(2_000)));
    assert!(queue.pop_due(3_000, 12_999).is_none());
    assert_eq!(queue.pop_due(3_000, 13_000).unwrap().sequence, Sequence(1));
    assert_eq!(queue.due_in(9_000, 10_500), Some(Duration::from_millis(7_000)), "2 s old when it came");
    assert!(queue.pop_due(9_000, 13_000).is_none());
    assert_eq!(queue.pop_due(0, 13_000).unwrap().sequence, Sequence(2), "the delay was ended");
    assert!(queue.is_empty());
}

#[test]
fn any_number_of_signals_hides_what_waits_and_keeps_its_place() {
    let mut queue = DelayQueue::default();
    let count = 600;
    for n in 1..=count {
        queue.push(Sequence(n), Some(message(n, "{}")), 0, 0);
    }
    for n in 1..count {
        let body: &'static str = format!(r#"{{"type":"signal","signal":"recall","sequence":{n}}}"#).leak();
        queue.hide(&Hide::of(&message(count + n, body)).unwrap());
    }
    let left: Vec<_> = std::iter::from_fn(|| queue.pop_due(0, 0)).collect();
    let shown: Vec<_> = left.iter().filter(|it| it.message.is_some()).map(|it| it.sequence.0).collect();
    assert_eq!((left.len() as u64, shown), (count, vec![count]));
}
