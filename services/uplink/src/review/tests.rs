//! Reviews that were interrupted, decided at once by two, or left to the fallback, against the embedded
//! bus.

use std::sync::Arc;

use barrage_bus::{
    Bus, BusConfig, BusMetrics, Change, Draft, EmbeddedBus, RangeLimits, ReviewChange, RoomPatch, Topic,
    Verdict,
};
use barrage_moderation::{Measure, RuleHit};
use barrage_protocol::review::{ReviewDecision, ReviewFallback, ReviewRequest, ReviewSettings};
use barrage_protocol::{Class, Code, MessageId, RoomId, Sequence};
use barrage_store::{SqliteConfig, SqliteStore, Store};
use barrage_token::{Identity, Role, Rooms};
use bytes::Bytes;
use prometheus::Registry;
use serde_json::{Value, json};

use super::{Queued, ReviewControl, ReviewParts};
use crate::media::MediaLinks;
use crate::metrics::UplinkMetrics;
use crate::record::AuditQueue;
use crate::room::RoomControl;

/// A bus with two uplinks.
struct Scene {
    bus: Arc<dyn Bus>,
    uplinks: [ReviewControl; 2],
    _folder: tempfile::TempDir,
}

fn room() -> RoomId {
    "r".parse().unwrap()
}

fn by(user: &str) -> Identity {
    let (user, name, rooms) = (user.parse().unwrap(), user.into(), Rooms(vec!["*".into()]));
    Identity {
        user,
        name,
        role: Role::Moderator,
        rooms,
        expires_at_secs: 0,
        issued_at_secs: None,
        attrs: None,
    }
}

fn request(decision: ReviewDecision) -> ReviewRequest {
    ReviewRequest { decision, secs: None, reason: None }
}

fn draft(id: &str) -> Draft {
    draft_by("ann", id)
}

fn draft_by(user: &str, id: &str) -> Draft {
    let body = json!({ "type": "chat", "id": id, "user": user, "text": "hi", "at_ms": 1 });
    Draft {
        room: room(),
        class: Class::Chat,
        sender: Some(user.parse().unwrap()),
        id: Some(id.parse().unwrap()),
        fingerprint: 7,
        to: None,
        trace: None,
        body: Bytes::from(body.to_string()),
    }
}

fn hit() -> RuleHit {
    RuleHit {
        rule: "links".into(),
        measure: Measure::Review,
        detail: "example.com".into(),
        matched: Some("example.com".into()),
    }
}

impl Scene {
    async fn start() -> Self {
        Scene::with(BusConfig::default()).await
    }

    async fn with(config: BusConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = BusMetrics::new(&Registry::new()).unwrap();
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&EmbeddedBus::file(folder.path()), config, metrics).unwrap();
        bus.change(Change::Patch(room(), RoomPatch::Ensure { title: "R".into() })).await.unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let uplink = || {
            let metrics = UplinkMetrics::new(&Registry::new()).unwrap();
            ReviewControl::new(ReviewParts {
                bus: Arc::clone(&bus),
                store: Arc::clone(&store),
                control: RoomControl::new(Arc::clone(&bus), Arc::clone(&store)),
                audit: Arc::new(AuditQueue::new(metrics.audit_lost.clone())),
                metrics,
                media: MediaLinks::new(None, Arc::clone(&bus)),
            })
        };
        Scene { uplinks: [uplink(), uplink()], bus, _folder: folder }
    }

    /// Sends a chat message to review, at the first uplink.
    async fn enqueue(&self, id: &str) -> Queued {
        self.enqueue_by("ann", id).await
    }

    async fn enqueue_by(&self, user: &str, id: &str) -> Queued {
        self.uplinks[0].enqueue(&draft_by(user, id), &hit()).await.unwrap()
    }

    async fn waiting(&self, id: &str) -> MessageId {
        match self.enqueue(id).await {
            Queued::Waiting(id) => id,
            other => panic!("{other:?}"),
        }
    }

    async fn bodies(&self) -> Vec<Value> {
        let topic = Topic::Room(room());
        let range = self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        range.messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
    }

    /// Stores a decision as an uplink does that is killed before its effect.
    async fn decided(&self, id: &MessageId, decision: ReviewDecision, at_ms: u64) {
        let by = "mod".parse().unwrap();
        let verdict = Verdict { decision, by, at_ms, mute_secs: 60, after: Sequence::ZERO };
        let change = ReviewChange::Decide { id: id.clone(), verdict };
        self.bus.change(Change::Review { room: room(), change }).await.unwrap();
    }
}

#[tokio::test]
async fn two_approve_at_once_and_the_message_appears_once() {
    let scene = Scene::start().await;
    for n in 0..10 {
        let id = scene.waiting(&format!("m{n}")).await;
        let (room, approve) = (room(), request(ReviewDecision::Approve));
        let (mod1, mod2) = (by("mod1"), by("mod2"));
        let (one, other) = tokio::join!(
            scene.uplinks[0].decide(&room, &mod1, &id, &approve),
            scene.uplinks[1].decide(&room, &mod2, &id, &approve),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.sequence, &one.by), (other.sequence, &other.by));
        assert!(one.sequence.is_some() && one.duplicate != other.duplicate, "{one:?} {other:?}");
        assert_eq!(scene.bodies().await.len(), n + 1);
        assert_eq!(scene.enqueue(&format!("m{n}")).await, Queued::Approved(one.sequence.unwrap()));
    }
    let body = &scene.bodies().await[0];
    assert!(body["at_ms"].as_u64().unwrap() > 1, "the room sees it at the time of the decision: {body}");
}

#[tokio::test]
async fn an_approved_super_chat_is_on_top_from_the_decision_on() {
    let scene = Scene::start().await;
    let body = json!({
        "type": "super_chat", "id": "s1", "user": "ann", "text": "hi", "amount_minor": 500, "currency": "EUR",
        "tier": { "level": 1, "color": 1, "top_secs": 600 }, "at_ms": 1,
    });
    let draft = Draft { class: Class::Gift, body: Bytes::from(body.to_string()), ..draft("s1") };
    let Queued::Waiting(id) = scene.uplinks[0].enqueue(&draft, &hit()).await.unwrap() else { panic!() };
    let answer = scene.uplinks[1].decide(&room(), &by("mod"), &id, &request(ReviewDecision::Approve)).await;
    let sequence = answer.unwrap().sequence.unwrap();
    let settings = scene.bus.settings().borrow().clone();
    let open = settings.super_chats[&room()].get(sequence).unwrap();
    assert!(open.until_ms > barrage_clock::unix_ms() + 500_000, "{open:?}");
}

#[tokio::test]
async fn one_approves_and_another_denies_and_one_of_them_learns_it() {
    let scene = Scene::start().await;
    let mut shown = 0;
    for n in 0..10 {
        let id = scene.waiting(&format!("m{n}")).await;
        let (room, mod1, mod2) = (room(), by("mod1"), by("mod2"));
        let (approve, deny) = (request(ReviewDecision::Approve), request(ReviewDecision::Deny));
        let (one, other) = tokio::join!(
            scene.uplinks[n % 2].decide(&room, &mod1, &id, &approve),
            scene.uplinks[1 - n % 2].decide(&room, &mod2, &id, &deny),
        );
        let refused = one.as_ref().err().or(other.as_ref().err()).unwrap();
        assert_eq!(refused.code, Code::Conflict, "{}", refused.message);
        assert!(one.is_ok() != other.is_ok());
        shown += usize::from(one.is_ok());
        assert_eq!(scene.bodies().await.len(), shown);
    }
}

#[tokio::test]
async fn an_interrupted_decision_is_carried_out_once_by_any_uplink() {
    let scene = Scene::start().await;
    let now_ms = barrage_clock::unix_ms();
    // Killed before the effect: the same decision again, at another uplink.
    let id = scene.waiting("m1").await;
    scene.decided(&id, ReviewDecision::Approve, now_ms).await;
    let answer =
        scene.uplinks[1].decide(&room(), &by("mod2"), &id, &request(ReviewDecision::Approve)).await.unwrap();
    assert_eq!((answer.by.as_str(), answer.duplicate), ("mod", true));
    assert_eq!(scene.bodies().await.len(), 1);
    // Killed after the effect, before the result, and no request comes again: the sweep finishes it.
    let id = scene.waiting("m2").await;
    scene.bus.publish(vec![draft("m2")]).await.unwrap();
    scene.decided(&id, ReviewDecision::Approve, now_ms - 10_000).await;
    for uplink in &scene.uplinks {
        uplink.sweep(now_ms).await;
    }
    assert!(matches!(scene.enqueue("m2").await, Queued::Approved(_)));
    assert_eq!(scene.bodies().await.len(), 2);
    let id = scene.waiting("m3").await;
    scene.decided(&id, ReviewDecision::DenyAndMute, now_ms - 10_000).await;
    scene.uplinks[1].sweep(now_ms).await;
    let settings = scene.bus.settings().borrow().clone();
    let muted = settings.restriction(&room(), &"ann".parse().unwrap(), now_ms).unwrap();
    assert_eq!(muted.until_ms, now_ms + 50_000, "from the time of the decision");
    assert_eq!(scene.bodies().await.len(), 2);
}

#[tokio::test]
async fn a_late_recovery_finds_the_message_that_the_killed_uplink_published() {
    // This bus forgets ids at once, as another does after its dedup window.
    let scene = Scene::with(BusConfig { dedup_per_room_max: 0, ..BusConfig::default() }).await;
    let id = scene.waiting("m1").await;
    scene.bus.publish(vec![draft("other"), draft("m1"), draft("another")]).await.unwrap();
    let now_ms = barrage_clock::unix_ms();
    scene.decided(&id, ReviewDecision::Approve, now_ms - 60_000).await;
    scene.uplinks[0].sweep(now_ms).await;
    assert_eq!(scene.bodies().await.len(), 3, "nothing was published again");
    let topic = Topic::Room(room());
    let range = scene.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
    assert_eq!(scene.enqueue("m1").await, Queued::Approved(range.messages[1].sequence));
}

#[tokio::test]
async fn the_fallback_decides_after_its_time_and_waits_for_a_lock() {
    let scene = Scene::start().await;
    let configure = async |fallback| {
        let settings = ReviewSettings { fallback: Some(fallback), fallback_secs: 30 };
        scene.uplinks[0].configure(&room(), &by("mod"), settings).await.unwrap();
    };
    configure(ReviewFallback::Approve).await;
    let now_ms = barrage_clock::unix_ms();
    let taken = scene.waiting("m1").await;
    scene.waiting("m2").await;
    scene.uplinks[0].decide(&room(), &by("mod"), &taken, &request(ReviewDecision::Take)).await.unwrap();
    scene.uplinks[0].sweep(now_ms + 29_000).await;
    assert_eq!(scene.bodies().await.len(), 0);
    scene.uplinks[0].sweep(now_ms + 35_000).await;
    scene.uplinks[1].sweep(now_ms + 35_000).await;
    assert_eq!(scene.bodies().await.len(), 1, "m2 alone: a moderator looks at m1");
    configure(ReviewFallback::Deny).await;
    scene.waiting("m3").await;
    scene.uplinks[0].decide(&room(), &by("mod"), &taken, &request(ReviewDecision::Release)).await.unwrap();
    scene.uplinks[0].sweep(now_ms + 120_000).await;
    assert_eq!(scene.bodies().await.len(), 1);
    assert!(matches!(scene.enqueue("m3").await, Queued::Denied(_)));
}

#[tokio::test]
async fn a_full_queue_holds_what_overflows_and_counts_it() {
    let scene = Scene::start().await;
    let max = barrage_bus::REVIEWS_PER_ROOM_MAX;
    for n in 0..max {
        let user = format!("u{}", n / barrage_bus::REVIEWS_PER_SENDER_MAX);
        let queued = scene.enqueue_by(&user, &format!("m{n}")).await;
        assert!(matches!(queued, Queued::Waiting(_)), "{n}: {queued:?}");
    }
    assert_eq!(scene.enqueue_by("ann", "more").await, Queued::Overflowed);
    let list = scene.uplinks[0].list(&room(), &by("mod")).unwrap();
    assert_eq!((list.reviews.len(), list.overflowed), (max, 1));
    let first = &list.reviews[0];
    assert_eq!((first.rule.as_str(), first.matched.as_deref()), ("links", Some("example.com")));
    let deny = request(ReviewDecision::Deny);
    scene.uplinks[0].decide(&room(), &by("mod"), &first.id, &deny).await.unwrap();
    assert_eq!(scene.enqueue_by("u1", "u1-has-ten").await, Queued::Overflowed);
    scene.waiting("more").await;
}
