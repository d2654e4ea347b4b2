//! The pipeline over the embedded bus, without HTTP.

use std::sync::Arc;

use barrage_bus::{Bus, BusConfig, BusMetrics, Change, EmbeddedBus, RangeLimits, RoomPatch, Topic};
use barrage_counters::LocalQuotaMetrics;
use barrage_counters::{LocalQuota, LocalQuotaConfig, Quota};
use barrage_guarded::BreakerMetrics;
use barrage_ledger::Ledger;
use barrage_moderation::{Action, ListConfig, ListScope, ModerationConfig, ModerationMetrics, Moderator};
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_recorder::Recorder;
use barrage_store::{SqliteConfig, SqliteStore, Store};
use barrage_token::{Identity, Role, Rooms};
use barrage_trace::Tracer;
use prometheus::Registry;
use serde_json::{Value, json};

use super::{PipelineParts, PostPipeline};
use crate::config::UplinkConfig;
use crate::media::MediaLinks;
use crate::metrics::UplinkMetrics;
use crate::poll::{PollControl, PollParts};
use crate::record::{AuditQueue, CheckLog, PostRecords, RequestTrace};
use crate::review::{ReviewControl, ReviewParts};
use crate::room::RoomControl;
use crate::words::{WordsControl, WordsParts};

struct Site {
    pipeline: PostPipeline,
    bus: Arc<dyn Bus>,
    check_log: Arc<CheckLog>,
    room: RoomId,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new(config: UplinkConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let bus_metrics = BusMetrics::new(&registry).unwrap();
        let file = EmbeddedBus::file(folder.path());
        let bus: Arc<dyn Bus> = EmbeddedBus::open(&file, BusConfig::default(), bus_metrics).unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let words = folder.path().join("words.txt");
        std::fs::write(&words, "darn\n").unwrap();
        let list = ListConfig {
            name: "mild".into(),
            file: Some(words),
            action: Action::Mask,
            shadow: false,
            scope: ListScope::All,
        };
        let moderation = ModerationConfig { lists: vec![list], ..ModerationConfig::default() };
        let breakers = BreakerMetrics::new(&registry).unwrap();
        let moderator =
            Moderator::new(moderation, ModerationMetrics::new(&registry).unwrap(), &breakers).unwrap();
        let quota = LocalQuota::new(&LocalQuotaConfig::default(), LocalQuotaMetrics::new(&registry).unwrap());
        let metrics = UplinkMetrics::new(&registry).unwrap();
        let check_log = Arc::<CheckLog>::default();
        let recorder = Recorder::new(config.recorder.clone(), &config.id);
        let ledger = Ledger::new(&registry).unwrap();
        let quota: Arc<dyn Quota> = Arc::new(quota);
        let control = RoomControl::new(Arc::clone(&bus), Arc::clone(&store));
        let audit = Arc::new(AuditQueue::new(metrics.audit_lost.clone()));
        let polls = PollParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            quota: Arc::clone(&quota),
            ledger: ledger.clone(),
            metrics: metrics.clone(),
        };
        let moderator = Arc::new(moderator);
        let reviews = Arc::new(ReviewControl::new(ReviewParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            metrics: metrics.clone(),
            media: MediaLinks::new(None, Arc::clone(&bus)),
        }));
        let words = Arc::new(WordsControl::new(WordsParts {
            bus: Arc::clone(&bus),
            store,
            control: control.clone(),
            audit: Arc::clone(&audit),
            moderator: Arc::clone(&moderator),
        }));
        let parts = PipelineParts {
            polls: Arc::new(PollControl::new(polls, &config.polls).unwrap()),
            bus: Arc::clone(&bus),
            quota,
            moderator,
            control,
            audit,
            records: PostRecords::new(&ledger, Arc::clone(&check_log), recorder, metrics.clone()),
            reviews,
            words,
            names: None,
            media: MediaLinks::new(None, Arc::clone(&bus)),
        };
        let pipeline = PostPipeline::new(parts, &config, &metrics).unwrap();
        let site = Site { pipeline, bus, check_log, room: "demo".parse().unwrap(), _folder: folder };
        site.change(Change::Patch(site.room.clone(), RoomPatch::Ensure { title: "Demo".into() })).await;
        site
    }

    async fn change(&self, change: Change) {
        self.bus.change(change).await.unwrap();
    }

    async fn post(&self, role: Role, post: Value) -> Result<PostAnswer, Refusal> {
        let post: Post = serde_json::from_value(post).unwrap();
        let mut trace = RequestTrace::start(&Tracer::default(), None);
        self.pipeline.post(&self.room, &sender(role), &post, &mut trace).await
    }

    /// Returns the bodies of the room's messages.
    async fn bodies(&self) -> Vec<Value> {
        let topic = Topic::Room(self.room.clone());
        let range = self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap();
        range.messages.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect()
    }
}

fn sender(role: Role) -> Identity {
    let (user, name) = ("u1".parse().unwrap(), "A\u{202E}nn".into());
    let (rooms, expires_at_secs) = (Rooms(vec!["*".into()]), u64::MAX);
    Identity { user, name, role, rooms, expires_at_secs, issued_at_secs: None, attrs: None }
}

fn chat(id: &str, text: &str) -> Value {
    json!({ "type": "chat", "id": id, "text": text })
}

fn gift(id: &str, price_minor: u64) -> Value {
    json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1, "price_minor": price_minor } })
}

#[tokio::test]
async fn text_is_cleaned_then_moderated_then_published_once() {
    let site = Site::new(UplinkConfig::default()).await;
    let answer = site.post(Role::Viewer, chat("m1", " da\u{200B}rn  it\u{7} ")).await.unwrap();
    assert_eq!(answer.outcome, Outcome::Broadcast);
    let again = site.post(Role::Viewer, chat("m1", " da\u{200B}rn  it\u{7} ")).await.unwrap();
    assert_eq!((again.outcome, again.sequence), (Outcome::Duplicate, answer.sequence));
    let bodies = site.bodies().await;
    assert_eq!(bodies.len(), 1);
    assert_eq!((&bodies[0]["text"], &bodies[0]["name"]), (&json!("**** it"), &json!("Ann")));
}

#[tokio::test]
async fn same_id_with_another_text_is_a_conflict() {
    let site = Site::new(UplinkConfig::default()).await;
    site.post(Role::Viewer, chat("m1", "one")).await.unwrap();
    assert_eq!(site.post(Role::Viewer, chat("m1", "two")).await.unwrap_err().code, Code::Conflict);
}

#[tokio::test]
async fn text_only_switch_removes_the_style() {
    let site = Site::new(UplinkConfig::default()).await;
    let mut post = chat("m1", "hi");
    post["style"] = json!({ "mode": "top" });
    site.post(Role::Viewer, post.clone()).await.unwrap();
    site.change(Change::Switch { name: "text-only".into(), value: json!(true) }).await;
    post["id"] = json!("m2");
    site.post(Role::Viewer, post).await.unwrap();
    let bodies = site.bodies().await;
    assert_eq!((&bodies[0]["style"]["mode"], &bodies[1]["style"]), (&json!("top"), &Value::Null));
}

#[tokio::test]
async fn read_only_switch_refuses_all_but_admins() {
    let site = Site::new(UplinkConfig::default()).await;
    site.change(Change::Switch { name: "read-only".into(), value: json!(true) }).await;
    let refusal = site.post(Role::Host, chat("m1", "hi")).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(15_000)));
    assert_eq!(site.post(Role::Admin, chat("m2", "hi")).await.unwrap().outcome, Outcome::Broadcast);
}

#[tokio::test]
async fn display_quota_holds_viewers_and_a_package_with_a_paid_gift_is_never_held() {
    let mut config = UplinkConfig::default();
    config.limits.room_display_chat_per_s = 1;
    let site = Site::new(config).await;
    let mut held = 0;
    for n in 0..20 {
        let answer = site.post(Role::Viewer, chat(&format!("m{n}"), &format!("text {n}"))).await.unwrap();
        held += u32::from(answer.outcome == Outcome::Held);
    }
    assert!(held >= 15, "{held} of 20 are held");
    let (address, admin) = ([192, 0, 2, 1].into(), sender(Role::Admin));
    let posts = |ids: [&str; 2]| -> Vec<Post> {
        [chat(ids[0], "thanks"), gift(ids[1], 100)].map(|post| serde_json::from_value(post).unwrap()).into()
    };
    let mut trace = RequestTrace::start(&Tracer::default(), None);
    let shown = posts(["p1", "p2"]);
    let answers = site.pipeline.post_package(address, &site.room, &admin, &shown, &mut trace).await.unwrap();
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Broadcast), "{answers:?}");
    let viewer = sender(Role::Viewer);
    let refused = posts(["p3", "p4"]);
    let refusal = site.pipeline.post_package(address, &site.room, &viewer, &refused, &mut trace).await;
    assert_eq!(refusal.unwrap_err().code, Code::Forbidden, "a viewer may not post paid gifts");
}

#[tokio::test]
async fn refused_post_is_traced_with_its_code() {
    let site = Site::new(UplinkConfig::default()).await;
    let refusal = site.post(Role::Viewer, chat("m1", "\u{200B}")).await.unwrap_err();
    assert_eq!(refusal.code, Code::BadText);
    let check_log = site.check_log.find(&"m1".parse().unwrap());
    assert_eq!(check_log[0].outcome(), "bad_text");
    assert!(site.bodies().await.is_empty());
}

#[tokio::test]
async fn refusal_of_a_long_text_names_the_limit() {
    let site = Site::new(UplinkConfig::default()).await;
    let cases = [
        ("x".repeat(201), Some(("text_chars_max", 200))),
        ("\u{FDFD}".repeat(40), Some(("text_columns_max", 400))),
        ("\u{200B}".into(), None),
    ];
    for (text, expected) in cases {
        let refusal = site.post(Role::Viewer, chat("m1", &text)).await.unwrap_err();
        assert_eq!(refusal.code, Code::BadText);
        let limit = refusal.limit.as_deref().map(|limit| (limit.rule.as_str(), limit.limit));
        assert_eq!(limit, expected, "{refusal:?}");
    }
}

#[tokio::test]
async fn like_is_counted_once_under_its_id() {
    let site = Site::new(UplinkConfig::default()).await;
    let like = json!({ "type": "like", "id": "l1", "count": 3 });
    assert_eq!(site.post(Role::Viewer, like.clone()).await.unwrap().outcome, Outcome::Broadcast);
    assert_eq!(site.post(Role::Viewer, like).await.unwrap().outcome, Outcome::Duplicate);
}
