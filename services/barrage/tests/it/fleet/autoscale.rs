//! `up --autoscale`: a fleet that starts and stops gateways.

use std::ops::RangeInclusive;
use std::time::Duration;

use barrage_client::{Event, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::post::Outcome;
use barrage_testkit::{Server, ServerOptions, wait};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{fleet, gift};
use crate::support::BINARY;

/// Counts the gifts that one viewer receives. Panics at a duplicate and at a wrong order.
async fn count_gifts(mut viewer: Viewer, shown: tokio::sync::watch::Sender<u64>) {
    while let Some(event) = viewer.next().await {
        let Event::Message(message) = event else { continue };
        let next = *shown.borrow() + 1;
        assert!(
            message.body.get().contains(&format!("\"id\":\"g{next}\"")),
            "{} after {}",
            message.body,
            next - 1
        );
        shown.send_replace(next);
    }
}

/// Options of a fleet with 60 viewers per gateway, which follows the number of viewers within seconds.
fn small_fleet() -> ServerOptions {
    let set = |name: &str, value: &str| (format!("BARRAGE_{name}"), value.to_owned());
    let mut options = fleet(&["--autoscale", "--gateways", "1", "--uplinks", "1"]);
    options.environment.extend([
        set("GATEWAY__VIEWERS_MAX", "60"),
        set("AUTOSCALE__POLICY__REPLICAS_MIN", "1"),
        set("AUTOSCALE__POLICY__RESERVE__REPLICAS", "0"),
        set("AUTOSCALE__POLICY__TICK_SECS", "0.5"),
        set("AUTOSCALE__POLICY__PANIC__HOLD_SECS", "1"),
        set("AUTOSCALE__POLICY__SCALE_IN__WINDOW_SECS", "3"),
        set("AUTOSCALE__POLICY__SCALE_IN__AFTER_OUT_SECS", "0"),
        set("AUTOSCALE__POLICY__SCALE_IN__PERIOD_SECS", "1"),
        set("AUTOSCALE__POLICY__FORECAST__PROVISION_SECS", "3"),
        set("AUTOSCALE__POLICY__DRAIN__SPREAD_SECS", "2"),
        set("AUTOSCALE__POLICY__DRAIN__LEFT_MAX", "0"),
    ]);
    options
}

#[tokio::test]
async fn prewarm_starts_gateways_and_its_deletion_stops_them() {
    let mut server = Server::start(BINARY, small_fleet()).await;
    let entry = server.members.iter().find(|member| member.name == "entry").unwrap().admin;
    let token = server.token("a1", "*", "admin").await;
    let ask = async |method: &str, resource: &str, body: Value| {
        let answer = server.admin_of(entry, method, &format!("/{resource}"), &token, &body).await;
        (answer.status, answer.body)
    };
    let gateways = async |wanted: RangeInclusive<usize>| {
        let expected = format!("{wanted:?} gateways");
        wait::until_true(Duration::from_secs(90), &expected, async || {
            let (_, fleet) = ask("GET", "fleet", json!(null)).await;
            let instances = fleet["instances"].as_array().unwrap();
            wanted.contains(&instances.iter().filter(|instance| instance["role"] == "gateway").count())
        })
        .await;
    };
    gateways(1..=1).await;
    let soon = OffsetDateTime::now_utc() + Duration::from_secs(5);
    let at = soon.format(&Rfc3339).unwrap();
    let prewarm = json!({ "at": at, "room": "demo", "viewers": 150, "lasts_secs": 600 });
    let (status, announced) = ask("POST", "prewarm", prewarm).await;
    assert_eq!(status, 201, "{announced}");
    gateways(3..=4).await;
    let (status, factors) = ask("PUT", "factors", json!({ "factors": { "gateway-2": 0.0 } })).await;
    assert_eq!((status, &factors["factors"]["gateway-2"]["factor"]), (200, &json!(0.0)));
    let created = format!("prewarm/{}", announced["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &created, json!(null)).await.0, 204);
    gateways(1..=1).await;
    assert_eq!(server.stop("INT").await, Some(0));
}

#[tokio::test]
async fn gateways_follow_the_viewers_and_no_gift_is_missed() {
    const VIEWERS: usize = 120;
    const REMAINING: usize = 20;
    let mut server = Server::start(BINARY, small_fleet()).await;
    let (token, admin) = (server.token("u1", "demo", "host").await, server.token("a1", "*", "admin").await);
    let entry = format!("http://{}", server.public);
    let sender = Sender::new(SenderConfig::through_entry(&entry, &token)).unwrap();
    let room = "demo".parse().unwrap();
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        let shown = tokio::sync::watch::Sender::new(0);
        let seen = shown.subscribe();
        let viewer = Viewer::start(ViewerConfig::new(&entry, "demo".parse().unwrap()));
        viewers.push((tokio::spawn(count_gifts(viewer, shown)), seen));
    }
    let online = async |server: &Server| {
        let fleet = server.admin("GET", "/fleet", &admin, &json!(null)).await.body;
        let gateways: Vec<_> = fleet["instances"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["role"] == "gateway")
            .cloned()
            .collect();
        let viewers = gateways.iter().map(|it| it["load"]["connections"].as_u64().unwrap()).sum::<u64>();
        (gateways.len(), viewers)
    };
    // One gateway admits half of the viewers; the others join when there are more gateways.
    wait::until_true(Duration::from_secs(60), "all viewers in the room", async || {
        online(&server).await.1 >= VIEWERS as u64
    })
    .await;
    let (most, _) = online(&server).await;
    assert!(most >= 3, "{most} gateways for twice the viewers of one gateway");

    let mut gifts = 0;
    let mut send = async || {
        gifts += 1;
        assert_eq!(
            sender.send(&room, &gift(&format!("g{gifts}"))).await.unwrap().outcome,
            Outcome::Broadcast
        );
        gifts
    };
    send().await;
    for (task, _) in viewers.split_off(REMAINING) {
        task.abort();
    }
    // Gifts go on while the fleet shrinks around the remaining viewers.
    let mut last = 0;
    let shrunk = async {
        while online(&server).await.0 > 1 {
            last = send().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    wait::within(Duration::from_secs(90), "a fleet of one gateway", shrunk).await;
    last = last.max(send().await);
    for (_, seen) in &mut viewers {
        let all = wait::within(Duration::from_secs(10), "all gifts", seen.wait_for(|shown| *shown == last));
        all.await.expect("a viewer has ended");
    }
    assert_eq!(server.stop("INT").await, Some(0));
}
