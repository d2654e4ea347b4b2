//! Actions that were interrupted, doubled or overtaken, against the embedded bus.

use std::sync::Arc;

use barrage_bus::{
    Bus, BusConfig, BusMetrics, Change, EmbeddedBus, RangeLimits, RestrictionKind, RoomPatch, Topic,
};
use barrage_protocol::action::{ActionAnswer, ActionRequest};
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_store::{AuditFilter, SqliteConfig, SqliteStore, Store};
use barrage_token::{Identity, Role, Rooms};
use prometheus::{IntCounter, Registry};
use serde_json::{Value, json};

use super::control::{ActionControl, ActionParts};
use super::form;
use crate::record::AuditQueue;
use crate::room::{RoomControl, Watched};

struct Scene {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    actions: ActionControl,
    _folder: tempfile::TempDir,
}

fn room() -> RoomId {
    "r".parse().unwrap()
}

fn by(user: &str, role: Role) -> Identity {
    let (user, name, rooms) = (user.parse().unwrap(), user.into(), Rooms(vec!["*".into()]));
    Identity { user, name, role, rooms, expires_at_secs: 0, issued_at_secs: None, attrs: None }
}

fn request(id: &str, action: &Value) -> ActionRequest {
    serde_json::from_value(json!({ "id": id, "action": action, "reason": "a reason" })).unwrap()
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
        let actions = ActionControl::new(ActionParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: RoomControl::new(Arc::clone(&bus), Arc::clone(&store)),
            audit: Arc::new(AuditQueue::new(lost)),
            text_chars_max: 200,
        });
        Scene { bus, store, actions, _folder: folder }
    }

    async fn act(&self, id: &str, action: Value) -> ActionAnswer {
        self.actions.act(&room(), &by("mod", Role::Moderator), &request(id, &action)).await.unwrap()
    }

    /// Remembers an action as one that an uplink began and was killed in.
    async fn interrupted(&self, id: &str, action: Value) {
        let now_ms = barrage_clock::unix_ms();
        let (record, _) =
            form::record(&room(), &"mod".parse().unwrap(), &request(id, &action), now_ms).unwrap();
        self.bus.change(Change::BeginAction { room: room(), record }).await.unwrap();
    }

    fn is_muted(&self, user: &str) -> bool {
        let settings = self.bus.settings().borrow().clone();
        let found = settings.restriction(&room(), &user.parse().unwrap(), barrage_clock::unix_ms());
        found.is_some_and(|restriction| restriction.kind == RestrictionKind::Mute)
    }

    async fn bodies(&self) -> Vec<Value> {
        let topic = Topic::Room(room());
        let range = self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        range.messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
    }

    async fn signals(&self) -> usize {
        let topic = Topic::Room(room());
        let range = self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        range.messages.len()
    }
}

const SECS: u64 = 600;

fn mute() -> Value {
    json!({ "type": "mute", "user": "ann", "secs": SECS })
}

fn unmute() -> Value {
    json!({ "type": "unmute", "user": "ann" })
}

#[tokio::test]
async fn a_replayed_action_never_undoes_a_newer_contrary_one() {
    let scene = Scene::start().await;
    let first = scene.act("m1", mute()).await;
    assert!(!first.duplicate && scene.is_muted("ann"));
    assert!(!scene.act("u1", unmute()).await.duplicate);
    let again = scene.act("m1", mute()).await;
    assert_eq!((again.duplicate, again.until_ms), (true, first.until_ms));
    assert!(!scene.is_muted("ann"), "the replay changes nothing");
    assert!(!scene.act("m2", mute()).await.duplicate);
    assert!(scene.act("u1", unmute()).await.duplicate && scene.is_muted("ann"));
}

#[tokio::test]
async fn an_interrupted_action_is_carried_out_unless_a_contrary_one_came_after_it() {
    let scene = Scene::start().await;
    scene.interrupted("m1", mute()).await;
    assert!(!scene.is_muted("ann"));
    assert!(!scene.act("m1", mute()).await.duplicate && scene.is_muted("ann"));
    scene.interrupted("u1", unmute()).await;
    scene.act("m2", mute()).await;
    assert!(scene.act("u1", unmute()).await.duplicate, "it counts as carried out before the mute");
    assert!(scene.is_muted("ann"));
    scene.interrupted("s1", json!({ "type": "slow_mode", "secs": 9 })).await;
    scene.act("s2", json!({ "type": "slow_mode", "secs": 0 })).await;
    scene.act("s1", json!({ "type": "slow_mode", "secs": 9 })).await;
    assert_eq!(scene.bus.settings().borrow().rooms[&room()].slow_mode_secs, 0);
}

#[tokio::test]
async fn an_action_sent_many_times_at_once_is_one_signal_and_one_line() {
    let scene = Scene::start().await;
    let announce = json!({ "type": "announce", "text": "soon" });
    let sends = (0..20).map(|_| scene.act("a1", announce.clone()));
    let answers = futures_join(sends).await;
    let new = answers.iter().filter(|answer| !answer.duplicate).count();
    assert_eq!((new, scene.signals().await), (1, 1));
    assert!(answers.iter().all(|answer| answer.sequence == answers[0].sequence), "{answers:?}");
    let filter = AuditFilter { room: None, user: None, actor: Some("mod"), action: Some("announce") };
    let lines = scene.store.audit(filter, None, 10).await.unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let detail = &lines[0].record.detail;
    assert_eq!((&detail["reason"], &detail["role"]), (&json!("a reason"), &json!("moderator")));
    assert!(!detail.to_string().contains("soon"), "texts are stored as their hash: {detail}");
}

/// Runs futures at the same time, in this task.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (slot, future) in done.iter_mut().zip(&mut running) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn an_id_is_one_action_of_its_sender() {
    let scene = Scene::start().await;
    scene.act("x", mute()).await;
    let other = request("x", &unmute());
    let refusal = scene.actions.act(&room(), &by("mod", Role::Moderator), &other).await.unwrap_err();
    assert_eq!(refusal.code, Code::Conflict);
    let of_another = scene.actions.act(&room(), &by("mod2", Role::Moderator), &other).await.unwrap();
    assert!(!of_another.duplicate && !scene.is_muted("ann"));
}

#[tokio::test]
async fn a_signal_that_an_uplink_lost_is_published_once_by_the_others() {
    let scene = Scene::start().await;
    let [one, other] = [(); 2].map(|()| RoomControl::new(Arc::clone(&scene.bus), Arc::clone(&scene.store)));
    // An uplink is killed behind this change.
    let patch = Change::Patch(room(), RoomPatch::SlowMode { secs: 7 });
    scene.bus.change(patch).await.unwrap();
    let mark = || scene.bus.settings().borrow().rooms[&room()].signals;
    let [mut by_one, mut by_other] = [(); 2].map(|()| Watched::default());
    one.mend_signals(&mut by_one, 1_000).await;
    other.mend_signals(&mut by_other, 1_000).await;
    assert!(mark().is_behind() && scene.signals().await == 0, "it may still come");
    // Changes that go on do not hide the lost signal.
    one.slow_mode(&room(), 8).await.unwrap();
    one.mend_signals(&mut by_one, 3_999).await;
    assert!(mark().is_behind() && scene.signals().await == 1);
    one.mend_signals(&mut by_one, 4_000).await;
    other.mend_signals(&mut by_other, 4_000).await;
    one.mend_signals(&mut by_one, 5_000).await;
    let bodies = scene.bodies().await;
    assert_eq!((bodies.len(), &bodies[1]["signal"]), (2, &json!("state")));
    assert_eq!(bodies[1]["state"]["settings"]["value"]["slow_mode_secs"], 8);
    assert!(!mark().is_behind());
    // A signal that was published is noted, and does not come again.
    one.slow_mode(&room(), 9).await.unwrap();
    assert!(mark().is_behind());
    one.mend_signals(&mut by_one, 6_000).await;
    assert!(!mark().is_behind());
    other.mend_signals(&mut by_other, 60_000).await;
    assert_eq!(scene.signals().await, 3);
}
