//! The admin API: factors and pre-warms.

use barrage_bus::{EntryReport, Factor, InstanceReport, Role};
use barrage_entry::EntryConfig;
use barrage_protocol::entry::Transport;
use barrage_token::Role as TokenRole;
use http::StatusCode;

use crate::site::{Site, unbounded, urls};

#[tokio::test]
async fn factor_of_zero_closes_a_gateway_in_all_entries() {
    let site = Site::new(EntryConfig { address_per_s: 1_000, ..unbounded() }).await;
    // Three gateways, and another entry with a factor for g2. Without reports they would lapse.
    let report = async || {
        for id in ["g1", "g2", "g3"] {
            site.limited(id, 0, 1_000).await;
        }
        let factor = Factor { factor: 0.0, until_ms: barrage_clock::unix_ms() + 60_000 };
        let load = EntryReport { factors: [("g2".to_owned(), factor)].into(), ..EntryReport::default() };
        let other = InstanceReport { entry: Some(load), ..InstanceReport::new(Role::Entry, "entry-2") };
        site.bus.report(other).await.unwrap();
    };
    report().await;
    site.answer("/v1/entry?room=demo").await;
    let admin = async |method: &str, target: &str, body: &str| {
        site.admin(TokenRole::Admin, method, target, body).await
    };
    let (status, _) = site.admin(TokenRole::Moderator, "PUT", "factors", r#"{"factors": {"g1": 0}}"#).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = admin("PUT", "factors", r#"{"factors": {"g1": 2}}"#).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &"bad_request".into()));
    assert_eq!(admin("PUT", "factors", r#"{"factor": {}}"#).await.0, StatusCode::BAD_REQUEST);
    let (status, body) = admin("PUT", "factors", r#"{"factors": {"g1": 0}}"#).await;
    assert_eq!((status, body["factors"].as_object().unwrap().len()), (StatusCode::OK, 2));
    // Factors count from the next weighing.
    let shut = async {
        // Each gateway has the two ports of this host.
        while urls(&site.answer("/v1/entry?room=demo").await, Transport::Ws).len() > 2 {
            report().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), shut)
        .await
        .expect("g1 and g2 are still offered");
    for _ in 0..20 {
        report().await;
        let answer = site.answer("/v1/entry?room=demo").await;
        assert!(answer.downlinks.iter().all(|endpoint| endpoint.gateway == "g3"), "{answer:?}");
    }
    let (_, body) = admin("GET", "weights", "").await;
    let weight = |n: usize| body["weights"][n]["weight"].as_f64().unwrap();
    assert!(weight(0) == 0.0 && weight(1) == 0.0 && weight(2) > 0.0, "{body}");
}

#[tokio::test]
async fn prewarm_create_update_list_delete() {
    let site = Site::new(EntryConfig::default()).await;
    let admin = async |method: &str, target: &str, body: &str| {
        site.admin(TokenRole::Admin, method, target, body).await
    };
    // Forty days ahead: within the allowed year on any date.
    let starts = time::OffsetDateTime::now_utc() + time::Duration::days(40);
    let starts = starts.replace_time(time::Time::from_hms(12, 0, 0).unwrap());
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    let at = starts.to_offset(time::UtcOffset::from_hms(8, 0, 0).unwrap()).format(rfc3339).unwrap();
    assert!(at.ends_with("T20:00:00+08:00"), "{at}");
    let post = format!(r#"{{"at": "{at}", "room": "demo", "viewers": 300000, "lasts_secs": 7200}}"#);
    assert_eq!(site.admin(TokenRole::Host, "POST", "prewarm", &post).await.0, StatusCode::FORBIDDEN);
    let (status, made) = admin("POST", "prewarm", &post).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["at"].as_str().unwrap(), starts.format(rfc3339).unwrap(), "{made}");
    let (status, changed) = admin("POST", "prewarm", &post.replace("300000", "400000")).await;
    assert_eq!((status, &changed["id"]), (StatusCode::CREATED, &made["id"]));
    let (_, listed) = admin("GET", "prewarm", "").await;
    assert_eq!(listed["prewarms"].as_array().unwrap(), &[changed]);
    assert_eq!(site.bus.settings().borrow().prewarms(barrage_clock::unix_ms())[0].1.viewers, 400_000);
    for wrong in ["20:00", "demo", "300000", "7200"] {
        let (status, _) = admin("POST", "prewarm", &post.replace(wrong, "x y")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "without {wrong}");
    }
    let (status, _) = admin("POST", "prewarm", &post.replace("demo", "nobody")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let one = format!("prewarm/{}", made["id"].as_str().unwrap());
    assert_eq!(admin("DELETE", &one, "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(admin("DELETE", &one, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(admin("GET", "prewarm", "").await.1["prewarms"], serde_json::json!([]));
}
