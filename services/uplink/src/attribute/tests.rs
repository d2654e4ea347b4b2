//! Changes of attributes against the embedded bus: versions, doubled requests, writers, ends.

use std::sync::Arc;

use barrage_bus::{Bus, BusConfig, BusMetrics, Change, EmbeddedBus, RangeLimits, RoomPatch, Topic};
use barrage_protocol::attribute::{AttributeAnswer, AttributeRule, WriterRole};
use barrage_protocol::code::Refusal;
use barrage_protocol::state::RoomState;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{AuditFilter, SqliteConfig, SqliteStore, Store};
use barrage_token::{Identity, Role, Rooms};
use prometheus::{IntCounter, Registry};

use super::control::{AttributeControl, AttributeParts};
use super::form::Wanted;
use crate::record::AuditQueue;
use crate::room::RoomControl;

struct Scene {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    attributes: AttributeControl,
    _folder: tempfile::TempDir,
}

fn room() -> RoomId {
    "r".parse().unwrap()
}

fn by(user: &str, role: Role) -> Identity {
    let (user, name, rooms) = (user.parse().unwrap(), user.into(), Rooms(vec!["*".into()]));
    Identity { user, name, role, rooms, expires_at_secs: 0, issued_at_secs: None, attrs: None }
}

fn wanted(id: &str, text: Option<&str>) -> Wanted {
    Wanted { id: id.parse().unwrap(), text: text.map(Into::into), if_version: None, ttl_secs: None }
}

impl Scene {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(folder.path()), BusConfig::default(), metrics).unwrap();
        bus.change(Change::Patch(room(), RoomPatch::Ensure { title: "R".into() })).await.unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let lost = IntCounter::new("lost", "Lines that were lost.").unwrap();
        let attributes = AttributeControl::new(AttributeParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: RoomControl::new(Arc::clone(&bus), Arc::clone(&store)),
            audit: Arc::new(AuditQueue::new(lost)),
        });
        Scene { bus, store, attributes, _folder: folder }
    }

    async fn change(&self, role: Role, key: &str, wanted: &Wanted) -> Result<AttributeAnswer, Refusal> {
        self.attributes.change(&room(), &by("u", role), &key.parse().unwrap(), wanted).await
    }

    /// The signals of the room, and the state that a viewer has of them alone.
    async fn seen(&self) -> (usize, RoomState) {
        let topic = Topic::Room(room());
        let range = self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        let mut state = RoomState::default();
        for message in &range.messages {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            state.merge(serde_json::from_value(body["state"].clone()).unwrap());
        }
        (range.messages.len(), state)
    }

    fn stored(&self, key: &str) -> Option<String> {
        let settings = self.bus.settings().borrow().clone();
        let found = settings.attributes.get(&room())?.get(&key.parse().unwrap())?.value.clone();
        found.map(|value| value.text)
    }
}

#[tokio::test]
async fn a_change_is_made_once_signalled_and_in_the_audit_log() {
    let scene = Scene::start().await;
    let set = wanted("a-1", Some("1:0"));
    let first = scene.change(Role::Moderator, "score", &set).await.unwrap();
    let again = scene.change(Role::Moderator, "score", &set).await.unwrap();
    assert_eq!((first.duplicate, again.duplicate), (false, true));
    assert_eq!((first.version, first.sequence), (again.version, again.sequence));
    let other = wanted("a-1", Some("2:0"));
    assert_eq!(scene.change(Role::Moderator, "score", &other).await.unwrap_err().code, Code::Conflict);
    let (signals, state) = scene.seen().await;
    assert_eq!((signals, state.attributes.values().count()), (1, 1));
    let removed = scene.change(Role::Moderator, "score", &wanted("a-2", None)).await.unwrap();
    assert!(removed.version > first.version && scene.stored("score").is_none());
    assert!(scene.change(Role::Moderator, "score", &set).await.unwrap().duplicate, "it undoes nothing");
    assert_eq!((scene.stored("score"), scene.seen().await.1.attributes.values().count()), (None, 0));
    let filter = AuditFilter { room: None, user: None, actor: Some("u"), action: Some("set-attribute") };
    let lines = scene.store.audit(filter, None, 10).await.unwrap();
    assert!(!lines.is_empty() && !lines[0].record.detail.to_string().contains("1:0"), "{lines:?}");
}

#[tokio::test]
async fn of_two_writers_with_one_version_one_is_refused() {
    let scene = Scene::start().await;
    let new = |id: &str, text| Wanted { if_version: Some(0), ..wanted(id, Some(text)) };
    let first = scene.change(Role::Host, "card", &new("a-1", "x")).await.unwrap();
    let refusal = scene.change(Role::Host, "card", &new("a-2", "y")).await.unwrap_err();
    assert_eq!(refusal.code, Code::Conflict);
    assert!(refusal.message.contains(&first.version.to_string()), "{refusal:?}");
    let next = Wanted { if_version: Some(first.version), ..wanted("a-2", Some("y")) };
    scene.change(Role::Host, "card", &next).await.unwrap();
    assert_eq!(scene.stored("card").as_deref(), Some("y"));
}

#[tokio::test]
async fn the_longest_prefix_says_who_may_write() {
    let scene = Scene::start().await;
    let rule = |prefix: &str, role| AttributeRule { prefix: prefix.into(), role };
    let rules =
        vec![rule("", WriterRole::Admin), rule("fan.", WriterRole::Viewer), rule("s", WriterRole::Host)];
    scene.bus.change(Change::Patch(room(), RoomPatch::AttributeRules(rules))).await.unwrap();
    for (n, (key, least)) in
        [("other", Role::Admin), ("fan.a", Role::Viewer), ("score", Role::Host)].into_iter().enumerate()
    {
        for role in [Role::Probe, Role::Viewer, Role::Moderator, Role::Host, Role::Admin] {
            let id = format!("a-{n}-{}", role.label());
            let answer = scene.change(role, key, &wanted(&id, Some("x"))).await;
            let expected = if role >= least { None } else { Some(Code::Forbidden) };
            assert_eq!(answer.err().map(|refusal| refusal.code), expected, "{key} by {role:?}");
        }
    }
}

#[tokio::test]
async fn an_attribute_that_is_over_is_removed_once_by_all_uplinks() {
    let scene = Scene::start().await;
    let timed = Wanted { ttl_secs: Some(5), ..wanted("a-1", Some("x")) };
    scene.change(Role::Host, "card", &timed).await.unwrap();
    scene.change(Role::Host, "score", &wanted("a-2", Some("1:0"))).await.unwrap();
    let now_ms = barrage_clock::unix_ms();
    scene.attributes.remove_expired(now_ms).await;
    assert_eq!(scene.stored("card").as_deref(), Some("x"), "its time is not over");
    let later_ms = now_ms + 6_000;
    tokio::join!(scene.attributes.remove_expired(later_ms), scene.attributes.remove_expired(later_ms));
    let (signals, state) = scene.seen().await;
    assert_eq!(signals, 3, "one removal");
    let left: Vec<_> = state.attributes.values().map(|(key, _)| key.as_str()).collect();
    assert_eq!((scene.stored("card"), left), (None, vec!["score"]));
    scene.change(Role::Host, "card", &wanted("a-3", Some("y"))).await.unwrap();
    assert_eq!(scene.seen().await.1.attributes.values().count(), 2, "it may be set again");
}

#[tokio::test]
async fn attributes_beyond_the_bound_of_a_room_are_refused() {
    let scene = Scene::start().await;
    for n in 0..100 {
        let id = format!("a-{n}");
        scene.change(Role::Host, &format!("k{n}"), &wanted(&id, Some("x"))).await.unwrap();
    }
    for n in 100..110 {
        let refusal = scene
            .change(Role::Host, &format!("k{n}"), &wanted(&format!("a-{n}"), Some("x")))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::Conflict);
    }
    assert_eq!(scene.seen().await.0, 100);
}
