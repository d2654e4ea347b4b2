//! Badges after a read, and the one key of all processes.

use std::sync::Arc;

use barrage_notifier::NotifierError;
use barrage_store::{PushStore, Take};
use barrage_testkit::{PushAnswer, wait};
use serde_json::{Value, json};

use crate::site::{SOON, Site, user};

#[tokio::test]
async fn a_read_lowers_badges_of_other_devices_without_a_sound_and_once() {
    let mut site = Site::start().await;
    site.device("host", "phone", "apns", "0123abcd", None).await;
    site.device("host", "pad", "apns", "4567cdef", None).await;
    site.device("host", "tablet", "fcm", "token-1", None).await;
    site.device("host", "low", "fcm", "token-2", None).await;
    site.browser("host", "laptop").await;
    for sender in ["ann", "ben", "ben"] {
        site.letter(sender, "host", "hello").await;
    }
    // An hour ago, notifications of three letters reached all devices but one.
    let now_ms = barrage_clock::unix_ms();
    let taken = site.store.take_due(Take { now_ms, lease_ms: 1, limit: 9, taken: 1 }).await.unwrap();
    let told: Vec<_> = ["phone", "pad", "tablet", "laptop"].map(str::to_owned).into();
    site.store.note_badge(taken[0].user, &told, 3, now_ms - 3_600_000).await.unwrap();
    site.store.note_badge(taken[0].user, &["low".to_owned()], 1, now_ms - 3_600_000).await.unwrap();
    site.services.answer(|request| request.path.ends_with("4567cdef").then(|| PushAnswer::status(503)));
    site.read("host", "ann", 1).await;
    site.read("host", "ben", 1).await;
    site.read("host", "ben", 2).await;
    // One more letter, so that a number is left.
    site.letter_later("cat", "host", "again").await;
    let running = site.run();
    let lowered = async || (running.metric("barrage_push_badges_lowered_total") >= 2.0).then_some(());
    wait::until(SOON, "two lowered badges", lowered).await;
    let badges = async || {
        let devices = site.store.devices(&user("host")).await.unwrap();
        let badges: Vec<_> = devices.into_iter().map(|it| (it.device, it.badge)).collect();
        badges.contains(&("tablet".to_owned(), 1)).then_some(badges)
    };
    let badges = wait::until(SOON, "noted badges", badges).await;
    let badges: Vec<_> = badges.iter().map(|(device, badge)| (device.as_str(), *badge)).collect();
    assert_eq!(badges, [("laptop", 3), ("low", 1), ("pad", 3), ("phone", 1), ("tablet", 1)]);
    running.stop().await;
    let requests = site.services.requests();
    let sent: Vec<_> = requests.iter().filter(|it| it.path != "/token").collect();
    assert_eq!(sent.len(), 3, "{sent:?}");
    let phone = sent.iter().find(|it| it.path == "/3/device/0123abcd").unwrap();
    let header = |name: &str| phone.headers[name].as_str();
    assert_eq!((header("apns-push-type"), header("apns-priority")), ("alert", "5"));
    assert_eq!(serde_json::from_slice::<Value>(&phone.body).unwrap(), json!({ "aps": { "badge": 1 } }));
    let tablet = sent.iter().find(|it| it.path.ends_with("messages:send")).unwrap();
    let tablet: Value = serde_json::from_slice(&tablet.body).unwrap();
    assert_eq!(tablet["message"]["token"], "token-1");
    assert_eq!(tablet["message"]["data"], json!({ "kind": "badge", "badge": "1" }));
}

#[tokio::test]
async fn a_process_with_another_key_does_not_start_unless_it_replaces_the_one_before() {
    let mut site = Site::start().await;
    site.browser("host", "laptop").await;
    let first = site.run();
    let store = Arc::clone(&site.store);
    let announced = async || {
        let services = store.services().await.unwrap();
        services.into_iter().find_map(|service| service.public_key)
    };
    let key = wait::until(SOON, "the key", announced).await;
    site.new_key();
    let error = site.run().ended().await.unwrap_err();
    assert!(matches!(&error, NotifierError::OtherKey { stored, .. } if *stored == key), "{error}");
    assert!(error.to_string().contains(&format!("push.vapid_key_replaces = \"{key}\"")), "{error}");
    assert_eq!(announced().await.as_ref(), Some(&key), "the first one's key stays");
    assert_eq!(site.store.devices(&user("host")).await.unwrap().len(), 1);
    first.stop().await;
    site.config.vapid_key_replaces = Some(key.clone());
    let running = site.run();
    let replaced = async || announced().await.filter(|now| *now != key);
    wait::until(SOON, "the new key", replaced).await;
    assert!(
        site.store.devices(&user("host")).await.unwrap().is_empty(),
        "its subscription was for the old key"
    );
    running.stop().await;
}
