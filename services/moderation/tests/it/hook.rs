//! The hook against an HTTP server with right, wrong, slow and no answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use barrage_flow::BreakerState;
use barrage_guarded::BreakerMetrics;
use barrage_moderation::{
    Action, Candidate, Decision, HookConfig, Measure, MediaFacts, MediaHook, MediaJudgement, MediaQuestion,
    ModerationConfig, ModerationMetrics, Moderator, Outcome, WordList,
};
use barrage_protocol::{Class, Digest, MediaKind, MessageId, RoomId, UserId};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};

/// A server whose answer is chosen by the text of the request.
#[derive(Default)]
struct Server {
    asked: Mutex<Vec<Value>>,
    waiting: AtomicUsize,
    release: Notify,
}

async fn answer(State(server): State<Arc<Server>>, axum::Json(question): axum::Json<Value>) -> Response {
    let named = question["text"].as_str().or(question["media"]["url"].as_str());
    let text = named.unwrap().to_owned();
    server.asked.lock().await.push(question);
    match text.as_str() {
        "fail" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "garbage" => "no JSON".into_response(),
        "strange" => axum::Json(json!({"action": "explode"})).into_response(),
        "textless" => axum::Json(json!({"action": "mask"})).into_response(),
        "huge" => axum::Json(json!({"action": "refuse", "reason": "x".repeat(1 << 20)})).into_response(),
        "elsewhere" => Redirect::temporary("/else").into_response(),
        "slow" => {
            server.waiting.fetch_add(1, Ordering::SeqCst);
            server.release.notified().await;
            axum::Json(json!({"action": "refuse"})).into_response()
        }
        "refuse" | "hold" => {
            axum::Json(json!({"action": text, "reason": "r".repeat(1_000), "more": 1})).into_response()
        }
        "mask" => axum::Json(json!({"action": "mask", "text": "m**k"})).into_response(),
        "rewrite" => axum::Json(json!({"action": "rewrite", "text": "better"})).into_response(),
        "deny" | "review" | "allow" => axum::Json(json!({"action": text})).into_response(),
        _ => axum::Json(json!({"action": "admit"})).into_response(),
    }
}

async fn serve(listener: TcpListener) -> Arc<Server> {
    let server = Arc::new(Server::default());
    let router = Router::new().route("/check", post(answer)).with_state(Arc::clone(&server));
    tokio::spawn(async move { axum::serve(listener, router).await });
    server
}

fn moderator(listener: &TcpListener, more: &str) -> Moderator {
    let url = format!("http://{}/check", listener.local_addr().unwrap());
    let config = format!(
        "[[lists]]\nname = 'mild'\naction = 'mask'\n[repeat]\nuser_times_max = 0\n[hook]\nurl = '{url}'\n{more}"
    );
    let config: ModerationConfig = toml::from_str(&config).unwrap();
    let registry = Registry::new();
    let (metrics, breakers) =
        (ModerationMetrics::new(&registry).unwrap(), BreakerMetrics::new(&registry).unwrap());
    Moderator::new(config, metrics, &breakers).unwrap()
}

async fn check(moderator: &Moderator, text: &str) -> Decision {
    let (room, user) = (RoomId::parse("room").unwrap(), UserId::parse("user").unwrap());
    let id = MessageId::parse("id").unwrap();
    let candidate = Candidate {
        room: &room,
        user: &user,
        id: &id,
        name: "Ann",
        role: "viewer",
        attributes: "",
        room_rules: None,
        class: Class::Chat,
        text,
    };
    moderator.check(&candidate, Duration::ZERO, 0).await
}

fn held_because(decision: &Decision) -> (&str, &str) {
    match &decision.outcome {
        Outcome::Held(hit) => (&hit.rule, &hit.detail),
        other => panic!("{other:?}"),
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A breaker that never opens, and a deadline that a busy machine meets.
const PATIENT: &str = "deadline_ms = 10000\nfallback = 'hold'\nbreaker = { calls_min = 1000 }";

#[tokio::test]
async fn answers_of_the_hook_are_applied() {
    let listener = listener().await;
    let moderator = moderator(&listener, PATIENT);
    moderator.replace("mild", WordList::build(["darn"]).unwrap()).unwrap();
    let server = serve(listener).await;

    assert_eq!(check(&moderator, "fine").await.outcome, Outcome::Admit);
    assert_eq!(check(&moderator, "mask").await.outcome, Outcome::Masked("m**k".into()));
    assert_eq!(check(&moderator, "darn it").await.outcome, Outcome::Masked("**** it".into()));
    let held = check(&moderator, "hold").await;
    assert_eq!(held_because(&held), ("hook", "r".repeat(200).as_str()), "the reason is bounded");
    let refused = check(&moderator, "refuse").await;
    assert!(matches!(refused.outcome, Outcome::Refused(ref hit) if hit.measure == Measure::Refuse));
    assert_eq!(refused.audit.len(), 1);

    assert_eq!(check(&moderator, "allow").await.outcome, Outcome::Admit);
    assert_eq!(check(&moderator, "rewrite").await.outcome, Outcome::Masked("better".into()));
    assert!(matches!(check(&moderator, "deny").await.outcome, Outcome::Refused(_)));
    let reviewed = check(&moderator, "review").await.outcome;
    assert!(matches!(reviewed, Outcome::Review(ref hit, None) if hit.rule == "hook"), "{reviewed:?}");

    let asked = server.asked.lock().await;
    let question = json!({
        "room": "room", "user": "user", "id": "id", "name": "Ann", "role": "viewer", "text": "fine", "class": "chat"
    });
    assert_eq!(asked[0], question);
    assert_eq!(asked[2]["text"], "**** it", "the hook gets the text that would be shown");
}

#[tokio::test]
async fn bad_answers_lead_to_the_fallback() {
    let listener = listener().await;
    let moderator = moderator(&listener, PATIENT);
    let _server = serve(listener).await;
    for (text, why) in [
        ("fail", "status 500"),
        ("garbage", "not understood"),
        ("strange", "not understood"),
        ("textless", "no text"),
        ("huge", "longer than"),
        ("elsewhere", "status 307"),
    ] {
        let decision = check(&moderator, text).await;
        let (rule, detail) = held_because(&decision);
        assert_eq!(rule, "hook:away");
        assert!(detail.contains(why), "{text}: {detail}");
    }
}

#[tokio::test]
async fn hook_in_shadow_mode_is_called_and_does_nothing() {
    let listener = listener().await;
    let moderator = moderator(&listener, &format!("shadow = true\n{PATIENT}"));
    let _server = serve(listener).await;
    for text in ["refuse", "mask", "fail"] {
        let decision = check(&moderator, text).await;
        assert_eq!((decision.outcome, decision.shadow.len()), (Outcome::Admit, 1), "{text}");
    }
}

#[tokio::test]
async fn slow_hook_delays_a_post_by_its_deadline_at_most() {
    let listener = listener().await;
    let moderator = moderator(&listener, "deadline_ms = 50\nfallback = 'refuse'\n[escalation]\nhits = 1");
    let _server = serve(listener).await;
    let decision = tokio::time::timeout(Duration::from_secs(5), check(&moderator, "slow")).await.unwrap();
    assert!(matches!(decision.outcome, Outcome::Refused(ref hit) if hit.rule == "hook:away"));
    assert_eq!(decision.mute, None, "a slow hook is no fault of the sender");
}

#[tokio::test]
async fn calls_over_the_maximum_get_the_fallback_at_once() {
    let listener = listener().await;
    let moderator = Arc::new(moderator(&listener, &format!("calls_max = 2\n{PATIENT}")));
    let server = serve(listener).await;
    let open: Vec<_> = (0..2)
        .map(|_| {
            let moderator = Arc::clone(&moderator);
            tokio::spawn(async move { check(&moderator, "slow").await })
        })
        .collect();
    let waiting = async {
        while server.waiting.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    let third = check(&moderator, "refuse").await;
    assert_eq!(held_because(&third), ("hook:away", "too many questions are open"));
    server.release.notify_waiters();
    for open in open {
        assert!(matches!(open.await.unwrap().outcome, Outcome::Refused(_)));
    }
    assert!(
        matches!(check(&moderator, "refuse").await.outcome, Outcome::Refused(_)),
        "permits are given back"
    );
}

#[tokio::test]
async fn hook_that_is_away_opens_the_breaker_and_is_used_again_when_back() {
    let reserved = listener().await;
    let address = reserved.local_addr().unwrap();
    let breaker =
        "breaker = { calls_min = 3, pause_ms = 20, pause_ms_max = 20, probes = 1, slow_ms = 10000 }";
    let moderator = moderator(&reserved, &format!("deadline_ms = 10000\nfallback = 'admit'\n{breaker}"));
    drop(reserved);
    let breaker = moderator.hook_breaker().unwrap();
    for _ in 0..3 {
        assert_eq!(check(&moderator, "refuse").await.outcome, Outcome::Admit);
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(check(&moderator, "refuse").await.outcome, Outcome::Admit);

    let _server = serve(TcpListener::bind(address).await.unwrap()).await;
    let recovered = async {
        while !matches!(check(&moderator, "refuse").await.outcome, Outcome::Refused(_)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), recovered).await.unwrap();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

fn media_hook(listener: &TcpListener, deadline_ms: Option<u64>, more: &str) -> MediaHook {
    let url = format!("http://{}/check", listener.local_addr().unwrap());
    let config: HookConfig = toml::from_str(&format!("url = '{url}'\n{more}")).unwrap();
    MediaHook::new(&config, deadline_ms, &BreakerMetrics::new(&Registry::new()).unwrap()).unwrap()
}

/// Asks about a medium whose address chooses the answer.
async fn judge(hook: &MediaHook, url: &str) -> MediaJudgement {
    let user = UserId::parse("ann").unwrap();
    let (digest, kind) = (Digest::new([7; 32]), MediaKind::Image);
    let media = MediaFacts { digest, kind, media_type: "image/webp", size: 9, url };
    hook.judge(&MediaQuestion { user: &user, media }).await
}

#[tokio::test]
async fn answers_about_a_medium_allow_it_deny_it_or_leave_it_to_a_moderator() {
    let listener = listener().await;
    let hook = media_hook(&listener, None, PATIENT);
    let server = serve(listener).await;
    assert_eq!(judge(&hook, "allow").await, MediaJudgement::Allow);
    assert_eq!(judge(&hook, "deny").await, MediaJudgement::Deny { reason: None });
    for waits in ["review", "rewrite", "textless"] {
        assert_eq!(judge(&hook, waits).await, MediaJudgement::Review { reason: None }, "{waits}");
    }
    let reason = Some("r".repeat(200));
    assert_eq!(judge(&hook, "hold").await, MediaJudgement::Review { reason: reason.clone() });
    assert_eq!(judge(&hook, "refuse").await, MediaJudgement::Deny { reason }, "the older name");
    for (url, why) in [("fail", "status 500"), ("strange", "not understood"), ("huge", "longer than")] {
        let MediaJudgement::Away { fallback, error } = judge(&hook, url).await else { panic!("{url}") };
        assert_eq!(fallback, Action::Hold);
        assert!(error.contains(why), "{url}: {error}");
    }
    let question = json!({ "user": "ann", "media": {
        "digest": "07".repeat(32), "kind": "image", "type": "image/webp", "size": 9, "url": "allow"
    }});
    assert_eq!(server.asked.lock().await[0], question);
}

#[tokio::test]
async fn questions_about_media_wait_for_a_free_call_and_end_at_their_own_deadline() {
    let first = listener().await;
    let hook =
        Arc::new(media_hook(&first, Some(10_000), "calls_max = 1\ndeadline_ms = 1\nfallback = 'review'"));
    let server = serve(first).await;
    let asking = |url: &'static str| {
        let hook = Arc::clone(&hook);
        tokio::spawn(async move { judge(&hook, url).await })
    };
    let open = asking("slow");
    let waiting = async {
        while server.waiting.load(Ordering::SeqCst) < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    let next = asking("allow");
    server.release.notify_waiters();
    assert_eq!(open.await.unwrap(), MediaJudgement::Deny { reason: None });
    assert_eq!(next.await.unwrap(), MediaJudgement::Allow, "the second question was asked after the first");

    let listener = listener().await;
    let hurried = media_hook(&listener, Some(50), "fallback = 'review'");
    let _server = serve(listener).await;
    let late = tokio::time::timeout(Duration::from_secs(5), judge(&hurried, "slow")).await.unwrap();
    assert!(matches!(late, MediaJudgement::Away { fallback: Action::Review, .. }), "{late:?}");
}
