//! Notifications on both engines: what waits, devices, follows.

use barrage_inbox::{Entry, Event, GroupSettings, Notify, Place, Position, Standing, UserNumber};
use barrage_protocol::Sequence;
use barrage_protocol::inbox::View;
use barrage_store::{
    Announced, Due, FOLLOWS_PER_USER_MAX, InboxReads, NewCampaign, NewDevice, PushKind, PushService,
    Registered, Settled, Take,
};

use super::engine::Engine;
use super::events::{Lane, group, text, user};
use super::suite::project;

fn device(id: &str, address: &str, at_ms: u64) -> NewDevice {
    let (device, address) = (id.to_owned(), address.to_owned());
    NewDevice { device, service: "web".into(), address, keys: Some("{}".into()), at_ms }
}

async fn register(store: &dyn InboxReads, name: &str, id: &str) {
    store.register_device(&user(name), &device(id, &format!("{name} {id}"), 1)).await.unwrap();
}

fn take(now_ms: u64, taken: i64) -> Take {
    Take { now_ms, lease_ms: 1_000, limit: 10, taken }
}

/// Takes what is due, in the order of users.
async fn due(engine: &Engine, now_ms: u64, taken: i64) -> Vec<Due> {
    let mut due = engine.store.take_due(take(now_ms, taken)).await.unwrap();
    due.sort_by(|one, other| one.id.cmp(&other.id));
    due
}

fn names(due: &[Due]) -> Vec<&str> {
    due.iter().map(|due| due.id.as_str()).collect()
}

/// Two users who have accepted each other.
async fn friends(engine: &Engine) -> Lane<'_> {
    let mut lane = Lane { engine, at: 0 };
    lane.letter("host", "fan").await;
    lane.letter("fan", "host").await;
    lane
}

pub(crate) async fn many_letters_are_one_notification_of_who_has_a_device(engine: Engine) {
    let mut lane = friends(&engine).await;
    let store = &*engine.store;
    assert_eq!(
        (store.next_due().await.unwrap(), store.waiting().await.unwrap()),
        (None, 0),
        "nobody has a device"
    );
    register(store, "host", "phone").await;
    register(store, "cat", "phone").await;
    for _ in 0..3 {
        lane.letter("fan", "host").await;
    }
    // The first of the three was accepted at 1,003.
    assert_eq!((store.next_due().await.unwrap(), store.waiting().await.unwrap()), (Some(6_003), 1));
    assert!(due(&engine, 6_002, 7).await.is_empty());
    let found = due(&engine, 6_003, 7).await;
    assert_eq!(names(&found), ["host"]);
    let row = &found[0];
    assert_eq!((row.up_to, row.kind, row.attempts, row.total), (5, PushKind::Letter, 0, 4));
    let item = row.item.as_ref().unwrap();
    assert_eq!((item.item.position, item.sender.as_str()), (Position(5), "fan"));
    assert_eq!((row.devices.len(), row.devices[0].device.as_str()), (1, "phone"));
    assert_eq!((row.settings.as_ref(), row.rest.as_ref()), (None, None));
    let read = row.member.as_ref().unwrap().counters.read.position;
    assert_eq!(read, Position(0));
    // What the user reads meanwhile, the next look shows, and recalled items are not shown at all.
    let conversation = row.conversation.id.clone();
    let place = |name: &str, position| Place {
        user: user(name),
        conversation: conversation.clone(),
        position: Position(position),
    };
    lane.take(Event::Recall(place("fan", 5))).await;
    lane.take(Event::Read(place("host", 3))).await;
    store.set_notification_settings(&user("host"), "{\"live\":false}").await.unwrap();
    let again = due(&engine, 8_000, 8).await;
    assert_eq!(again[0].item.as_ref().unwrap().item.position, Position(4));
    assert_eq!(again[0].member.as_ref().unwrap().counters.read.position, Position(3));
    assert_eq!((again[0].total, again[0].settings.as_deref()), (2, Some("{\"live\":false}")));
    assert_eq!(store.notification_settings(&user("cat")).await.unwrap(), None);
}

pub(crate) async fn a_row_is_taken_by_one_sender_at_a_time_and_again_after_its_lease(engine: Engine) {
    let mut lane = friends(&engine).await;
    let other = engine.again().await;
    register(&*engine.store, "host", "phone").await;
    register(&*engine.store, "fan", "phone").await;
    lane.letter("fan", "host").await;
    lane.letter("host", "fan").await;
    let (one, two) = tokio::join!(engine.store.take_due(take(9_000, 1)), other.take_due(take(9_000, 2)));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.len() + two.len(), 2, "each row was taken once");
    assert!(due(&engine, 9_999, 3).await.is_empty());
    // The first senders were killed: another one takes both, and what the first ones say then has no effect.
    let found = due(&engine, 10_000, 4).await;
    assert_eq!((names(&found), found[0].attempts, found[1].attempts), (vec!["fan", "host"], 1, 1));
    let done = Settled::Done { newer_due_ms: 0 };
    for late in one.iter().chain(&two) {
        assert!(!engine.store.settle(late, &done).await.unwrap());
        let again = Settled::Again { due_ms: 0, rest: Vec::new() };
        assert!(!engine.store.settle(late, &again).await.unwrap());
    }
    for row in &found {
        assert!(engine.store.settle(row, &done).await.unwrap());
        assert!(!engine.store.settle(row, &done).await.unwrap(), "it is settled");
    }
    assert_eq!(engine.store.waiting().await.unwrap(), 0);
}

pub(crate) async fn a_newer_item_stays_when_the_older_ones_are_settled(engine: Engine) {
    let mut lane = friends(&engine).await;
    let store = &*engine.store;
    register(store, "host", "phone").await;
    lane.letter("fan", "host").await;
    let found = due(&engine, 9_000, 1).await;
    // Some devices were not reached.
    let again = Settled::Again { due_ms: 20_000, rest: vec!["phone".into()] };
    assert!(store.settle(&found[0], &again).await.unwrap());
    assert!(due(&engine, 19_999, 2).await.is_empty());
    let found = due(&engine, 20_000, 2).await;
    assert_eq!((found[0].attempts, found[0].rest.clone()), (1, Some(vec!["phone".to_owned()])));
    lane.letter("fan", "host").await;
    assert!(store.settle(&found[0], &again).await.unwrap());
    let found = due(&engine, 20_000, 3).await;
    assert_eq!((found[0].up_to, found[0].rest.clone()), (4, None), "the newer item is for all devices");
    lane.letter("fan", "host").await;
    assert!(store.settle(&found[0], &Settled::Done { newer_due_ms: 30_000 }).await.unwrap());
    assert_eq!((store.next_due().await.unwrap(), store.waiting().await.unwrap()), (Some(30_000), 1));
    let found = due(&engine, 30_000, 4).await;
    assert_eq!((found[0].up_to, found[0].attempts), (5, 0));
}

pub(crate) async fn members_of_a_group_are_called_as_they_wish(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    lane.take(Event::Create { user: user("host"), group: group(), settings: GroupSettings::default() }).await;
    for name in ["all", "named", "none", "away", "deaf"] {
        lane.take(Event::Join { user: user(name), group: group(), standing: Standing::Stranger }).await;
    }
    for (name, notify) in [("named", Notify::Mention), ("none", Notify::None), ("deaf", Notify::Mention)] {
        let view = View { notify: Some(notify), ..View::default() };
        lane.take(Event::See { user: user(name), conversation: group(), view }).await;
    }
    lane.take(Event::Leave { user: user("away"), group: group() }).await;
    for name in ["host", "all", "named", "none", "away", "deaf"] {
        register(&*engine.store, name, "phone").await;
    }
    let mentions = vec![user("named"), user("none"), user("all")];
    lane.take(Event::Post { sender: user("host"), group: group(), letter: text(lane.at), mentions }).await;
    lane.take(Event::Post { sender: user("host"), group: group(), letter: text(lane.at), mentions: vec![] })
        .await;
    let found = due(&engine, 9_000, 1).await;
    let rows: Vec<_> = found.iter().map(|row| (row.id.as_str(), row.kind, row.up_to)).collect();
    assert_eq!(rows, [("all", PushKind::Mention, 2), ("named", PushKind::Mention, 1)]);
    assert_eq!(found[1].item.as_ref().unwrap().item.position, Position(1), "what mentions the user");
}

pub(crate) async fn requests_and_muted_conversations_call_nobody(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    register(&*engine.store, "host", "phone").await;
    lane.letter("stranger", "host").await;
    assert_eq!(engine.store.waiting().await.unwrap(), 0, "a request");
    lane.letter("host", "stranger").await;
    let conversation = barrage_inbox::ConversationId::direct(&user("host"), &user("stranger"));
    for (notify, waiting) in [(Notify::None, 0), (Notify::All, 1)] {
        let view = View { notify: Some(notify), ..View::default() };
        lane.take(Event::See { user: user("host"), conversation: conversation.clone(), view }).await;
        lane.letter("stranger", "host").await;
        assert_eq!(engine.store.waiting().await.unwrap(), waiting, "{notify:?}");
    }
}

pub(crate) async fn a_device_belongs_to_who_registered_it_last_and_devices_are_bounded(engine: Engine) {
    let store = &*engine.store;
    let services = [
        PushService { name: "apns".into(), public_key: None },
        PushService { name: "web".into(), public_key: Some("key".into()) },
    ];
    store.announce_services(&services[..1], None).await.unwrap();
    store.announce_services(&services, None).await.unwrap();
    assert_eq!(store.services().await.unwrap(), services);
    let (ann, ben) = (user("ann"), user("ben"));
    let of = async |name| {
        let devices = store.devices(&name).await.unwrap();
        devices.into_iter().map(|it| (it.device, it.address, it.registered_at_ms)).collect::<Vec<_>>()
    };
    assert_eq!(store.register_device(&ann, &device("one", "x", 5)).await.unwrap(), Registered::New);
    assert_eq!(store.register_device(&ann, &device("one", "x", 6)).await.unwrap(), Registered::Again);
    assert_eq!(store.register_device(&ann, &device("one", "y", 7)).await.unwrap(), Registered::New);
    assert_eq!(of(ann.clone()).await, [("one".to_owned(), "y".to_owned(), 7)]);
    // Another user signs in on the same browser.
    assert_eq!(store.register_device(&ben, &device("one", "y", 8)).await.unwrap(), Registered::New);
    assert_eq!((of(ann.clone()).await.len(), of(ben.clone()).await.len()), (0, 1));
    assert!(!store.delete_device(&ann, "one").await.unwrap());
    assert!(store.delete_device(&ben, "one").await.unwrap());
    for number in 0..25_u64 {
        let new = device(&format!("d{number:02}"), &format!("a{number}"), 100 - number);
        store.register_device(&ann, &new).await.unwrap();
    }
    let left: Vec<_> = of(ann.clone()).await.into_iter().map(|it| it.0).collect();
    assert_eq!((left.len(), left[0].as_str(), left[19].as_str()), (20, "d00", "d24"), "the newest stays");
    // `d24` has 76 as its time, and `d18` 82.
    assert_eq!(store.forget_unseen(77).await.unwrap(), 1);
    assert_eq!(store.forget_unseen(82).await.unwrap(), 0, "a device of that moment stays");
    assert_eq!(store.forget_unseen(83).await.unwrap(), 1);
    assert_eq!(of(user("nobody")).await.len(), 0);
}

pub(crate) async fn an_old_answer_forgets_no_new_registration(engine: Engine) {
    let mut lane = friends(&engine).await;
    let store = &*engine.store;
    store.register_device(&user("host"), &device("phone", "x", 100)).await.unwrap();
    lane.letter("fan", "host").await;
    let number = due(&engine, 9_000, 1).await[0].user;
    for (address, since_ms, forgets) in
        [("y", 100, false), ("x", 99, false), ("x", 100, true), ("x", 100, false)]
    {
        let forgot = store.forget_address(number, "phone", address, since_ms).await.unwrap();
        assert_eq!(forgot, forgets, "{address} {since_ms}");
    }
    store.register_device(&user("host"), &device("phone", "x", 200)).await.unwrap();
    store.note_badge(number, &["phone".into(), "gone".into()], 7, 300).await.unwrap();
    let devices = store.devices(&user("host")).await.unwrap();
    assert_eq!((devices[0].badge, devices[0].badge_at_ms), (7, 300));
}

pub(crate) async fn followers_with_devices_are_told_in_one_order(engine: Engine) {
    let store = &*engine.store;
    let host = user("host");
    for number in 0..5 {
        assert!(store.follow(&user(&format!("f{number}")), &host, 1).await.unwrap());
    }
    assert!(
        store.follow(&user("f0"), &host, 2).await.unwrap()
            && store.follow(&user("f0"), &user("b"), 2).await.unwrap()
    );
    assert_eq!(store.follows(&user("f0"), None, 10).await.unwrap(), [user("b"), user("host")]);
    assert_eq!(store.follows(&user("f0"), Some(&user("b")), 10).await.unwrap(), [user("host")]);
    store.unfollow(&user("f4"), &host).await.unwrap();
    for name in ["f0", "f2", "f3", "f4"] {
        register(store, name, "phone").await;
    }
    store.set_notification_settings(&user("f2"), "{}").await.unwrap();
    let about = NewCampaign {
        id: "s1".into(),
        host: host.clone(),
        room: "demo".into(),
        title: "New".into(),
        at_ms: 50,
    };
    let started = store.start_campaign(&about).await.unwrap();
    assert_eq!((started.followers, started.told, started.ended_at_ms), (4, 0, None));
    let again = NewCampaign { at_ms: 90, title: "Other".into(), ..about.clone() };
    assert_eq!(store.start_campaign(&again).await.unwrap(), started, "the first one");
    assert_eq!(store.take_campaign(take(49, 1)).await.unwrap(), None);
    let mut campaign = store.take_campaign(take(50, 1)).await.unwrap().unwrap();
    assert_eq!(store.take_campaign(take(1_049, 2)).await.unwrap(), None, "it is taken");
    let found = store.followers(&host, campaign.after, 2).await.unwrap();
    assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["f0", "f2"]);
    assert_eq!((found[1].settings.as_deref(), found[1].devices.len(), found[1].total), (Some("{}"), 1, 0));
    campaign.after = found[1].user;
    campaign.told = 2;
    assert!(store.move_campaign(&campaign, 60).await.unwrap());
    assert!(!store.move_campaign(&campaign, 60).await.unwrap(), "it is not taken");
    let mut campaign = store.take_campaign(take(60, 3)).await.unwrap().unwrap();
    assert_eq!((campaign.told, campaign.about.title.as_str()), (2, "New"));
    let found = store.followers(&host, campaign.after, 2).await.unwrap();
    assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["f3"]);
    campaign.ended_at_ms = Some(61);
    assert!(store.move_campaign(&campaign, 60).await.unwrap());
    assert_eq!(store.take_campaign(take(9_000, 4)).await.unwrap(), None, "it has ended");
    assert_eq!(store.start_campaign(&about).await.unwrap().ended_at_ms, Some(61));
    assert!(store.followers(&user("nobody"), UserNumber(0), 9).await.unwrap().is_empty());
}

pub(crate) async fn an_erased_user_has_nothing_left(engine: Engine) {
    let mut lane = friends(&engine).await;
    let store = &*engine.store;
    register(store, "host", "phone").await;
    lane.letter("fan", "host").await;
    store.set_notification_settings(&user("host"), "{}").await.unwrap();
    store.follow(&user("host"), &user("fan"), 1).await.unwrap();
    store.follow(&user("fan"), &user("host"), 1).await.unwrap();
    store.erase_push(&user("host")).await.unwrap();
    assert_eq!(store.waiting().await.unwrap(), 0);
    assert!(store.devices(&user("host")).await.unwrap().is_empty());
    assert_eq!(store.notification_settings(&user("host")).await.unwrap(), None);
    for name in ["host", "fan"] {
        assert!(store.follows(&user(name), None, 9).await.unwrap().is_empty(), "{name}");
    }
}

pub(crate) async fn badges_wait_after_a_read_and_once_for_each_user(engine: Engine) {
    let mut lane = friends(&engine).await;
    let store = &*engine.store;
    let apns = NewDevice { service: "apns".into(), ..device("phone", "x", 1) };
    store.register_device(&user("host"), &apns).await.unwrap();
    register(store, "host", "browser").await;
    for _ in 0..3 {
        lane.letter("fan", "host").await;
    }
    let conversation = barrage_inbox::ConversationId::direct(&user("host"), &user("fan"));
    let read = |position| {
        let position = Position(position);
        Event::Read(Place { user: user("host"), conversation: conversation.clone(), position })
    };
    lane.take(read(3)).await;
    assert!(store.take_badges(u64::MAX >> 1, 10).await.unwrap().is_empty(), "no device was told a badge");
    let number = due(&engine, 9_000, 1).await[0].user;
    store.note_badge(number, &["browser".into()], 3, 5_000).await.unwrap();
    lane.take(read(4)).await;
    assert!(
        store.take_badges(u64::MAX >> 1, 10).await.unwrap().is_empty(),
        "a browser's page does it itself"
    );
    store.note_badge(number, &["phone".into()], 3, 5_000).await.unwrap();
    lane.letter("host", "fan").await;
    lane.take(Event::Hide(Place {
        user: user("host"),
        conversation: conversation.clone(),
        position: Position(4),
    }))
    .await;
    lane.take(read(5)).await;
    assert!(store.take_badges(34_999, 10).await.unwrap().is_empty(), "30 s after the last badge");
    let other = engine.again().await;
    let (one, two) = tokio::join!(store.take_badges(35_000, 10), other.take_badges(35_000, 10));
    let mut taken = one.unwrap();
    taken.extend(two.unwrap());
    assert_eq!(taken.len(), 1, "by one process");
    assert_eq!((taken[0].user, taken[0].total, taken[0].devices.len()), (number, 0, 2));
    // Long after the last badge, two seconds are enough.
    store.note_badge(number, &["phone".into()], 3, 0).await.unwrap();
    lane.letter("fan", "host").await;
    let (after, next) = (Sequence(lane.at), Sequence(lane.at + 1));
    lane.at += 1;
    project(store, 3, after, &[Entry { sequence: next, at_ms: 100_000, event: read(7) }]).await.unwrap();
    assert!(store.take_badges(101_999, 10).await.unwrap().is_empty());
    assert_eq!(store.take_badges(102_000, 10).await.unwrap().len(), 1);
    lane.letter("fan", "host").await;
    lane.take(read(8)).await;
    store.erase_push(&user("host")).await.unwrap();
    assert!(store.take_badges(u64::MAX >> 1, 10).await.unwrap().is_empty());
}

pub(crate) async fn another_key_is_refused_unless_it_replaces_the_one_before(engine: Engine) {
    let store = &*engine.store;
    let web = |key: &str| [PushService { name: "web".into(), public_key: Some(key.into()) }];
    assert_eq!(store.announce_services(&web("one"), None).await.unwrap(), Announced::Done);
    register(store, "ann", "browser").await;
    let apns = NewDevice { service: "apns".into(), ..device("phone", "x", 1) };
    store.register_device(&user("ann"), &apns).await.unwrap();
    for replaces in [None, Some("two"), Some("three")] {
        let refused = Announced::OtherKey { own: "two".into(), stored: "one".into() };
        assert_eq!(store.announce_services(&web("two"), replaces).await.unwrap(), refused);
    }
    assert_eq!(store.services().await.unwrap(), web("one"));
    assert_eq!(store.devices(&user("ann")).await.unwrap().len(), 2);
    for _ in 0..2 {
        assert_eq!(store.announce_services(&web("two"), Some("one")).await.unwrap(), Announced::Done);
    }
    assert_eq!(store.services().await.unwrap(), web("two"));
    let left = store.devices(&user("ann")).await.unwrap();
    assert_eq!(left.iter().map(|it| it.device.as_str()).collect::<Vec<_>>(), ["phone"]);
}

pub(crate) async fn a_user_follows_a_bounded_number_of_hosts(engine: Engine) {
    let store = &*engine.store;
    let fan = user("fan");
    assert!(store.follow(&fan, &user("first"), 1).await.unwrap());
    let others = FOLLOWS_PER_USER_MAX - 2;
    engine
        .run(&format!(
            "WITH RECURSIVE others (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM others WHERE n < {others})
             INSERT INTO inbox_follows SELECT 1000000 + n, (SELECT n FROM inbox_users WHERE id = 'fan'), 1 FROM others"
        ))
        .await;
    assert!(store.follow(&fan, &user("last"), 1).await.unwrap());
    assert!(!store.follow(&fan, &user("beyond"), 1).await.unwrap());
    assert!(store.follow(&fan, &user("last"), 2).await.unwrap(), "who is followed already");
    store.unfollow(&fan, &user("first")).await.unwrap();
    assert!(store.follow(&fan, &user("beyond"), 1).await.unwrap());
}
