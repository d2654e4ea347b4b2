//! The load tester's viewers wait their turn at the door, and move when they are told to.

use std::path::Path;
use std::time::Duration;

use barrage_testkit::{NatsServer, ServerOptions, process, wait};
use serde_json::json;

use crate::site::{Site, said};

/// Sixty joins a second at most, and a hundred viewers within half a second: most get tickets.
#[tokio::test(flavor = "multi_thread")]
async fn viewers_with_tickets_join_at_their_time_and_are_owed_nothing_before() {
    let site = Site::with(&[("BARRAGE_GATEWAY__JOINS_PER_S", "60")]).await;
    let scenario = site.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 9}]\n\
         thresholds: [loss.gift == 0, doubled.gift == 0]\n",
    );
    let (output, report) = site.run(&scenario, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let tickets = report["totals"]["tickets"].as_u64().unwrap();
    assert!(tickets >= 50, "{tickets}");
    let joined = report["totals"]["joins"].as_f64().unwrap();
    // Who waits beyond the end has not joined, and is told apart from who was lost.
    assert!(joined >= 90.0, "{}", said(&output));
    assert!(report["figures"]["waiting.peak"].as_f64().unwrap() >= 10.0, "{}", said(&output));
    // Who holds a ticket comes at its moment, and is let in.
    assert_eq!(report["totals"]["refusals"], json!({}), "{}", said(&output));
    assert!(report["balance"]["gifts_owed"].as_u64().unwrap() > 500);
}

/// A process of the platform; `key_of` is the one that made the key.
async fn member(nats: &NatsServer, folder: &Path, name: &str, key_of: Option<&Site>) -> Site {
    let data_dir = folder.join(name);
    if let Some(other) = key_of {
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::copy(other.server.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
    }
    let [public, admin] = [process::free_address(), process::free_address()];
    let environment = [
        ("BARRAGE_GATEWAY__BASE_URLS", format!("[\"http://{public}\"]")),
        ("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url())),
        ("BARRAGE_GATEWAY__ID", name.to_owned()),
        ("BARRAGE_GATEWAY__DRAIN_SECS", "1".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let addresses = Some((public, admin));
    Site::of(ServerOptions { environment, addresses, data_dir: Some(data_dir), ..ServerOptions::default() })
        .await
}

/// The pace of a drain within a second: beside busy tests, a viewer would be moved too late.
mod alone {
    use super::*;

    /// One of two gateways drains while gifts rain.
    #[tokio::test(flavor = "multi_thread")]
    async fn moved_viewers_receive_every_gift_once() {
        let (nats, folder) = (NatsServer::start().await, tempfile::tempdir().unwrap());
        let one = member(&nats, folder.path(), "one", None).await;
        let other = member(&nats, folder.path(), "other", Some(&one)).await;
        let scenario = one.scenario(
            "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 7}]\n\
         thresholds: [loss.gift == 0, doubled.gift == 0, viewers.lost == 0]\n",
        );
        wait::until_true(Duration::from_secs(30), "both gateways in the answers of entry", async || {
            let answer = one.server.get("/v1/entry?room=demo").await;
            answer.body["downlinks"].to_string().matches("/ws").count() >= 2
        })
        .await;
        let drained = async {
            let [mut here, mut there] = [0.0, 0.0];
            while here + there < 100.0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                here = one.server.metric("barrage_gateway_connections").await;
                there = other.server.metric("barrage_gateway_connections").await;
            }
            let (leaves, viewers) = if here > there { (&one, here) } else { (&other, there) };
            let token = leaves.server.token("a", "*", "admin").await;
            let answer = leaves.server.admin("POST", "/drain", &token, &json!({})).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            viewers
        };
        let ((output, report), viewers) = tokio::join!(one.run(&scenario, &[]), drained);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let totals = &report["totals"];
        let moves = totals["moves"].as_f64().unwrap();
        assert!((moves - viewers).abs() <= 2.0, "{moves} of {viewers}: {}", said(&output));
        assert_eq!((&totals["reconnects"], &totals["closes"]), (&json!(0), &json!({})), "{}", said(&output));
        assert!(report["balance"]["gifts_owed"].as_u64().unwrap() > 5_000, "{}", said(&output));
    }
}
