//! The load tester's viewers wait their turn at the door, and move when they are told to.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use barrage_testkit::{ServerOptions, programs};
use serde_json::json;
use tokio::process::{Child, Command};

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

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

struct Nats {
    _child: Child,
    url: String,
    folder: tempfile::TempDir,
}

async fn nats() -> Nats {
    let port = free().port();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(programs::nats_server())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(folder.path().join("nats"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nats-server: `cargo xtask test` takes one, or put it on PATH");
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Nats { _child: child, url: format!("nats://127.0.0.1:{port}"), folder }
}

/// A process of the platform; `key_of` is the one that made the key.
async fn member(nats: &Nats, name: &str, key_of: Option<&Site>) -> Site {
    let data_dir = nats.folder.path().join(name);
    if let Some(other) = key_of {
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::copy(other.server.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
    }
    let [public, admin] = [free(), free()];
    let environment = [
        ("BARRAGE_GATEWAY__BASE_URLS", format!("[\"http://{public}\"]")),
        ("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url)),
        ("BARRAGE_GATEWAY__ID", name.to_owned()),
        ("BARRAGE_GATEWAY__DRAIN_SECS", "1".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let addresses = Some((public, admin));
    Site::of(ServerOptions { environment, addresses, data_dir: Some(data_dir), ..ServerOptions::default() })
        .await
}

/// One of two gateways drains while gifts rain.
#[tokio::test(flavor = "multi_thread")]
async fn moved_viewers_receive_every_gift_once() {
    let nats = nats().await;
    let one = member(&nats, "one", None).await;
    let other = member(&nats, "other", Some(&one)).await;
    let scenario = one.scenario(
        "phases: [{phase: ramp, secs: 0.5, to: 1}, {phase: hold, secs: 7}]\n\
         thresholds: [loss.gift == 0, doubled.gift == 0, viewers.lost == 0]\n",
    );
    // Both are known to entry.
    while one.server.get("/v1/entry?room=demo").await.body["downlinks"].to_string().matches("/ws").count() < 2
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
