//! Race times and capacity.

use barrage_entry::EntryConfig;
use http::{Request, StatusCode};

use crate::site::{Site, unbounded};

#[tokio::test]
async fn race_resource_is_incompressible_and_reports_are_checked() {
    let site = Site::new(EntryConfig { race_bytes: 4_096, ..EntryConfig::default() }).await;
    site.report("near", &["http://near"], 0, false).await;
    site.report("far", &["http://far"], 0, false).await;
    let (status, headers, bytes) = site.get("/v1/race").await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert_eq!(bytes.len(), 4_096);
    assert!(barrage_protocol::deflate::deflate(&bytes, 9).len() >= 4_000);
    assert_eq!(site.answer("/v1/entry?room=demo").await.race.bytes, 4_096);

    let report =
        async |text: &str| site.ask(Request::post("/v1/entry/race").header("host", "h"), text).await.0;
    for _ in 0..20 {
        let text = r#"{"results":[{"gateway":"near","elapsed_ms":10},{"gateway":"far","elapsed_ms":900},{"gateway":"invented","elapsed_ms":18446744073709551615}]}"#;
        assert_eq!(report(text).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(site.count("barrage_entry_race_ignored_total"), 20);
    let many = vec![r#"{"gateway":"near"}"#; 17].join(",");
    assert_eq!(report(&format!(r#"{{"results":[{many}]}}"#)).await, StatusCode::BAD_REQUEST);
    let uplinks = vec![r#"{"url":"http://near"}"#; 17].join(",");
    assert_eq!(report(&format!(r#"{{"uplinks":[{uplinks}]}}"#)).await, StatusCode::BAD_REQUEST);
    assert_eq!(report("[]").await, StatusCode::BAD_REQUEST);
    assert_eq!(report(&"x".repeat(5_000)).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn reports_move_newcomers_to_the_faster_gateway() {
    let site = Site::new(unbounded()).await;
    site.limited("near", 0, 100_000).await;
    site.limited("far", 0, 100_000).await;
    let text = r#"{"results":[{"gateway":"near","elapsed_ms":10},{"gateway":"far","elapsed_ms":900},{"gateway":"invented"}]}"#;
    // Clients of five networks: fewer do not count.
    for network in 0..5 {
        let request = Request::post("/v1/entry/race").header("host", "h");
        let (status, ..) = site.ask_from([10, 1, network, 3].into(), request, text).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    assert_eq!(site.count("barrage_entry_race_seconds"), 10);
    assert_eq!(site.count("barrage_entry_race_ignored_total"), 5);
    assert_eq!(site.count("barrage_entry_race_failures_total"), 0);
    let mut near_first = 0;
    for _ in 0..400 {
        near_first += u32::from(site.answer("/v1/entry?room=demo").await.downlinks[0].gateway == "near");
    }
    // The share is 256 of 257; a count below 320 is practically impossible.
    assert!(near_first > 320, "{near_first}");
}

/// A gateway's own limits do not raise its measured knee.
#[tokio::test]
async fn capacity_file_bounds_the_viewers_of_a_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("capacity.toml");
    std::fs::write(&file, "[knee]\nconnections = 50\njoins_per_s = 1000\n").unwrap();
    let config = EntryConfig { address_per_s: 1_000, capacity_file: Some(file), ..unbounded() };
    let site = Site::new(config).await;
    site.limited("a", 4_000, 17_000).await;
    for _ in 0..49 {
        site.answer("/v1/entry?room=demo").await;
    }
    assert_eq!(site.get("/v1/entry?room=demo").await.0, StatusCode::SERVICE_UNAVAILABLE);
}
