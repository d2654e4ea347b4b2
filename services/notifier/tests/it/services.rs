//! Each service gets what it expects, and its answers are obeyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrage_notifier::Presence;
use barrage_protocol::UserId;
use barrage_store::PushStore;
use barrage_testkit::{PushAnswer, wait};
use serde_json::{Value, json};

use crate::site::{SOON, Site, user};

#[tokio::test]
async fn each_device_gets_the_notification_by_its_service_over_one_connection_each() {
    let mut site = Site::start().await;
    site.browser("host", "laptop").await;
    site.device("host", "phone", "apns", "0123abcd", None).await;
    site.device("host", "tablet", "fcm", "token-1", None).await;
    site.device("host", "watch", "huawei", "token-2", None).await;
    site.device("host", "old", "unknown", "token-3", None).await;
    let running = site.run();
    for number in 0..5 {
        site.letter(&format!("fan{number}"), "host", "hello").await;
    }
    // Four devices and five senders, and one exchange for an access token.
    let requests = site.requests(21).await;
    site.empty().await;
    assert_eq!(site.services.connections(), 4, "one for each service");
    assert_eq!(requests.iter().filter(|it| it.path == "/token").count(), 1);
    let of = |path: &str| requests.iter().find(|it| it.path.starts_with(path)).unwrap();
    let apns = of("/3/device/0123abcd");
    let header = |name: &str| apns.headers[name].as_str();
    assert_eq!(
        [header("apns-topic"), header("apns-push-type"), header("apns-priority")],
        ["com.example.app", "alert", "10"]
    );
    let payload: Value = serde_json::from_slice(&apns.body).unwrap();
    assert_eq!(payload["aps"]["alert"]["body"], "hello");
    assert_eq!(header("apns-collapse-id"), payload["aps"]["thread-id"]);
    let fcm: Value = serde_json::from_slice(&of("/v1/projects/project-1/messages:send").body).unwrap();
    assert_eq!(
        (&fcm["message"]["token"], &fcm["message"]["data"]["kind"]),
        (&json!("token-1"), &json!("letter"))
    );
    let vendor = of("/vendor/send");
    let body: Value = serde_json::from_slice(&vendor.body).unwrap();
    assert_eq!((&body["to"], &body["text"]), (&json!("token-2"), &json!("hello")));
    assert_eq!(vendor.headers["authorization"], "Bearer secret");
    let devices = site.store.devices(&user("host")).await.unwrap();
    assert!(devices.iter().all(|it| (it.badge > 0) == (it.device != "old")), "{devices:?}");
    let services: Vec<_> = site.store.services().await.unwrap();
    let names: Vec<_> = services.iter().map(|it| (it.name.as_str(), it.public_key.is_some())).collect();
    assert_eq!(names, [("apns", false), ("fcm", false), ("huawei", false), ("web", true)]);
    running.stop().await;
}

#[tokio::test]
async fn a_token_that_is_gone_is_forgotten_and_one_that_was_registered_again_is_not() {
    let mut site = Site::start().await;
    site.device("host", "gone", "apns", "aa", None).await;
    site.device("host", "again", "apns", "bb", None).await;
    site.browser("host", "browser").await;
    let before_ms = barrage_clock::unix_ms() - 60_000;
    site.services.answer(move |request| match request.path.rsplit('/').next()? {
        // Apple names a time before the registration.
        "bb" => Some(PushAnswer {
            body: format!("{{\"reason\":\"Unregistered\",\"timestamp\":{before_ms}}}"),
            ..PushAnswer::status(410)
        }),
        "aa" => Some(PushAnswer::reason(400, "BadDeviceToken")),
        "host-browser" => Some(PushAnswer { after: Duration::from_millis(400), ..PushAnswer::status(410) }),
        _ => None,
    });
    let running = site.run();
    site.letter("fan", "host", "hello").await;
    wait::until(SOON, "the browser's request", async || {
        site.services.requests().iter().any(|it| it.path.ends_with("browser")).then_some(())
    })
    .await;
    // The page registers again while the old answer is on its way.
    tokio::time::sleep(Duration::from_millis(20)).await;
    site.browser("host", "browser").await;
    site.empty().await;
    let devices = site.store.devices(&user("host")).await.unwrap();
    let left: Vec<_> = devices.iter().map(|it| it.device.as_str()).collect();
    assert_eq!(left, ["again", "browser"]);
    assert_eq!(running.metric("barrage_push_devices_forgotten_total"), 1.0);
    assert_eq!(running.metric("barrage_push_requests_total{outcome=\"gone\",service=\"apns\"}"), 2.0);
    running.stop().await;
}

#[tokio::test]
async fn a_device_that_was_not_reached_is_tried_again_and_others_get_it_once() {
    let mut site = Site::start().await;
    site.device("host", "phone", "apns", "aa", None).await;
    site.browser("host", "browser").await;
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    site.services.answer(move |request| {
        let fails = request.path.ends_with("browser") && counted.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then(|| PushAnswer::status(500))
    });
    let running = site.run();
    site.letter("fan", "host", "hello").await;
    site.empty().await;
    let requests = site.services.requests();
    let count = |path: &str| requests.iter().filter(|it| it.path.ends_with(path)).count();
    assert_eq!((count("browser"), count("aa")), (3, 1));
    assert_eq!(running.metric("barrage_push_notifications_total{fate=\"again\"}"), 2.0);
    running.stop().await;
}

#[tokio::test]
async fn retry_after_pauses_its_host_and_no_other() {
    let mut site = Site::start().await;
    for name in ["ann", "ben", "cat"] {
        site.browser(name, "browser").await;
    }
    site.device("dan", "phone", "apns", "aa", None).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    site.services.answer(move |request| {
        let is_first = request.path.starts_with("/send") && counted.fetch_add(1, Ordering::Relaxed) == 0;
        is_first.then(|| PushAnswer { retry_after: Some("2".into()), ..PushAnswer::status(429) })
    });
    let running = site.run();
    site.letter("fan", "ann", "hello").await;
    let asked_to_wait = async || {
        let later = running.metric("barrage_push_requests_total{outcome=\"later\",service=\"web\"}");
        (later >= 1.0).then_some(())
    };
    wait::until(SOON, "an answer with Retry-After", asked_to_wait).await;
    let paused_ms = barrage_clock::unix_ms();
    for name in ["ben", "cat", "dan"] {
        site.letter("fan", name, "hello").await;
    }
    site.empty().await;
    let requests = site.services.requests();
    let (web, apns): (Vec<_>, Vec<_>) = requests.iter().skip(1).partition(|it| it.path.starts_with("/send"));
    assert_eq!((web.len(), apns.len()), (3, 1));
    assert!(web.iter().all(|it| it.at_ms >= paused_ms + 1_500), "{web:?} after {paused_ms}");
    assert!(apns[0].at_ms < paused_ms + 1_500);
    running.stop().await;
}

#[tokio::test]
async fn an_access_token_that_was_withdrawn_is_replaced() {
    let mut site = Site::start().await;
    site.device("host", "tablet", "fcm", "token-1", None).await;
    let exchanges = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&exchanges);
    site.services.answer(move |request| {
        let number = counted.load(Ordering::Relaxed);
        if request.path == "/token" {
            counted.fetch_add(1, Ordering::Relaxed);
            let body = format!("{{\"access_token\":\"t{number}\",\"expires_in\":3599}}");
            return Some(PushAnswer { body, ..PushAnswer::status(200) });
        }
        let is_new = request.headers["authorization"] == "Bearer t1";
        Some(PushAnswer::status(if is_new { 200 } else { 401 }))
    });
    // A sender that is refused waits for a minute: the rows of the test do not.
    let running = site.run();
    site.letter("fan", "host", "hello").await;
    site.requests(2).await;
    let refused =
        async || (running.metric("barrage_push_misconfigured{service=\"fcm\"}") > 0.0).then_some(());
    wait::until(SOON, "a refusal", refused).await;
    site.letter("ben", "host", "hello").await;
    site.requests(4).await;
    let taken = async || (running.metric("barrage_push_misconfigured{service=\"fcm\"}") < 1.0).then_some(());
    wait::until(SOON, "the end of the refusal", taken).await;
    assert_eq!(exchanges.load(Ordering::Relaxed), 2);
    running.stop().await;
}

/// One device of a user shows its page.
#[derive(Debug)]
struct Shows(&'static str, &'static str);

impl Presence for Shows {
    fn looks(&self, user: &UserId, device: &str) -> bool {
        (user.as_str(), device) == (self.0, self.1)
    }
}

#[tokio::test]
async fn the_visible_device_is_spared_and_others_and_other_users_are_not() {
    let mut site = Site::start().await;
    site.presence = Arc::new(Shows("host", "laptop"));
    for (name, device) in [("host", "laptop"), ("host", "phone"), ("ann", "laptop")] {
        site.browser(name, device).await;
    }
    site.letter("fan", "host", "hello").await;
    site.letter("fan", "ann", "hello").await;
    let running = site.run();
    site.empty().await;
    let mut paths: Vec<_> = site.services.requests().into_iter().map(|it| it.path).collect();
    paths.sort();
    assert_eq!(paths, ["/send/ann-laptop", "/send/host-phone"]);
    running.stop().await;
}
