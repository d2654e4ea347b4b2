//! Services that are away, hostile or out of reach.

use std::time::Duration;

use barrage_inbox::{ConversationId, Event, Place, Position};
use barrage_protocol::inbox::NotificationSettings;
use barrage_store::PushStore;
use barrage_testkit::{PushAnswer, wait};

use crate::site::{SOON, Site, user};

#[tokio::test]
async fn an_address_that_is_not_public_is_not_asked() {
    let mut site = Site::start().await;
    site.config.allow_networks.clear();
    site.browser("host", "browser").await;
    for (id, host) in [("a", "127.0.0.1"), ("b", "[::1]"), ("c", "169.254.169.254"), ("d", "10.0.0.1")] {
        let port = site.services.url().rsplit(':').next().unwrap().to_owned();
        let keys = serde_json::json!({ "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "auth": "BTBZMqHH6r4Tts7J_aSIgg" });
        site.device("host", id, "web", &format!("https://{host}:{port}/"), Some(&keys.to_string())).await;
    }
    let running = site.run();
    site.letter("fan", "host", "hello").await;
    let refused = async || {
        let asked = running.metric("barrage_push_requests_total{outcome=\"unanswered\",service=\"web\"}");
        (asked >= 10.0).then_some(())
    };
    wait::until(SOON, "two attempts for five devices", refused).await;
    assert_eq!((site.services.connections(), site.services.requests().len()), (0, 0));
    running.stop().await;
}

#[tokio::test]
async fn a_silent_service_and_an_endless_answer_end_at_the_deadline_and_attempts_end() {
    let mut site = Site::start().await;
    site.config.timeout_ms = 200;
    site.config.attempts_max = 2;
    site.browser("host", "browser").await;
    site.browser("ann", "browser").await;
    site.services.answer(|request| match request.path.as_str() {
        "/send/host-browser" => {
            Some(PushAnswer { after: Duration::from_secs(60), ..PushAnswer::status(201) })
        }
        _ => Some(PushAnswer { body: "x".repeat(1 << 20), ..PushAnswer::status(201) }),
    });
    let running = site.run();
    site.letter("fan", "host", "hello").await;
    site.letter("fan", "ann", "hello").await;
    site.empty().await;
    assert_eq!(running.metric("barrage_push_notifications_total{fate=\"exhausted\"}"), 1.0);
    assert_eq!(running.metric("barrage_push_notifications_total{fate=\"sent\"}"), 1.0);
    running.stop().await;
}

#[tokio::test]
async fn nobody_is_told_who_has_read_or_wants_nothing() {
    let mut site = Site::start().await;
    for name in ["reader", "cleared", "muted", "off", "host"] {
        site.browser(name, "browser").await;
        site.letter("fan", name, "hello").await;
    }
    site.read("reader", "fan", 1).await;
    let conversation = ConversationId::direct(&user("cleared"), &user("fan"));
    let cleared = Place { user: user("cleared"), conversation, position: Position(1) };
    site.take(Event::Clear(cleared)).await;
    let set = async |name: &str, settings: NotificationSettings| {
        let text = serde_json::to_string(&settings).unwrap();
        site.store.set_notification_settings(&user(name), &text).await.unwrap();
    };
    set("muted", NotificationSettings { muted_until_ms: u64::MAX >> 12, ..Default::default() }).await;
    set("off", NotificationSettings { letters: false, ..Default::default() }).await;
    let running = site.run();
    site.empty().await;
    let requests = site.services.requests();
    assert_eq!(requests.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["/send/host-browser"]);
    assert_eq!(running.metric("barrage_push_notifications_total{fate=\"dropped\"}"), 4.0);
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_fails_is_left_alone_and_gets_everything_when_it_is_back() {
    let mut site = Site::start().await;
    // One request after the other, so that none is in flight when the breaker opens.
    site.config.parallel_max = 1;
    site.config.attempts_max = 100;
    site.config.breaker.pause_ms = 300;
    site.services.answer(|request| request.path.starts_with("/send/").then(|| PushAnswer::status(500)));
    for number in 0..30 {
        let name = format!("u{number}");
        site.browser(&name, "browser").await;
        site.letter("fan", &name, "hello").await;
    }
    site.device("u0", "phone", "apns", "0123abcd", None).await;
    let running = site.run();
    let held = async || {
        let held = running.metric("barrage_push_requests_total{outcome=\"later\",service=\"web\"}");
        (held >= 40.0).then_some(())
    };
    wait::until(SOON, "requests that are held back", held).await;
    let asked = |site: &Site, path: &str| {
        site.services.requests().iter().filter(|it| it.path.starts_with(path)).count()
    };
    // Ten failures open the breaker, and each pause ends with one request.
    assert!((10..20).contains(&asked(&site, "/send/")), "{} requests", asked(&site, "/send/"));
    assert_eq!(asked(&site, "/3/device/"), 1, "another host is not held back");
    site.services.answer_as_usual();
    site.empty().await;
    assert_eq!(running.metric("barrage_push_notifications_total{fate=\"sent\"}"), 30.0);
    running.stop().await;
}
