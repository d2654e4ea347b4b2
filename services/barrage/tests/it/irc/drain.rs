//! Drains: of a gateway behind the IRC gateway, and of the IRC gateway itself.

use std::time::Duration;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::{Server, wait};
use serde_json::json;

use super::bot::{Bot, Library};
use super::irc_address;
use crate::fleet::fleet;
use crate::support::{BINARY, MESSAGES, chat};

/// Value of a metric of one process of the fleet.
async fn metric(admin: std::net::SocketAddr, name: &str) -> f64 {
    let text = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
    let lines =
        text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn bots_hear_on_when_a_gateway_drains_and_move_when_the_irc_gateway_stops() {
    let irc = irc_address(66);
    let server = Server::start(BINARY, fleet(&["--cluster", "--gateways", "2", "--uplinks", "1"])).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("IRC__LISTEN", format!("[\"{irc}\"]")),
        ("IRC__ENTRY_URL", format!("http://{}", server.public)),
        ("IRC__DRAIN_SECS", "2".into()),
        ("ADMIN_LISTEN", free_address().to_string()),
    ];
    let mut gateway = Process::start(Recipe {
        name: "irc".into(),
        command: [BINARY, "irc"].map(str::to_owned).to_vec(),
        environment: environment.map(|(name, value)| (format!("BARRAGE_{name}"), value)).to_vec(),
        folder: folder.path().to_owned(),
        address: irc,
    })
    .await;
    let (ann, admin) = (server.token("ann", "demo", "viewer").await, server.token("a1", "*", "admin").await);
    let mut bots = Vec::new();
    for library in Library::ALL {
        let token = server.token(library.name(), "demo", "viewer").await;
        bots.push(Bot::start(library, irc, "demo", &token));
    }
    for bot in &mut bots {
        bot.joined().await;
    }

    // Both gateways drain, one after the other: every bot was at one of them.
    let gateways: Vec<_> =
        server.members.iter().filter(|member| member.name.starts_with("gateway")).collect();
    for (n, gateway) in gateways.iter().enumerate() {
        let answer =
            server.admin_of(gateway.admin, "POST", "/drain", &admin, &json!({ "within_secs": 1 })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        wait::until_true(Duration::from_secs(60), "a gateway without viewers", async || {
            metric(gateway.admin, "barrage_gateway_connections").await == 0.0
        })
        .await;
        let text = format!("after drain {n}");
        let post = chat(&format!("d{n}"), &text);
        let uplink = server.members.iter().find(|member| member.name.starts_with("uplink")).unwrap();
        let url = format!("http://{}{MESSAGES}", uplink.public[0]);
        let sent = reqwest::Client::new().post(url).bearer_auth(&ann).body(post).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        for bot in &mut bots {
            bot.hears(&text).await;
        }
        let answer = server.admin_of(gateway.admin, "DELETE", "/drain", &admin, &json!(null)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    // The process of the IRC gateway stops: RECONNECT, and the bots come to the next process.
    gateway.signal("TERM");
    for bot in bots.iter_mut().filter(|bot| bot.library != Library::Twurple) {
        bot.event("reconnect", |_| true).await;
    }
    wait::until_true(Duration::from_secs(30), "the end of the process", async || !gateway.is_running()).await;
    gateway.restart().await;
    // irc-framework does not come back by itself from a connection that its program ended.
    bots.retain(|bot| bot.library != Library::Framework);
    for bot in &mut bots {
        bot.joined().await;
    }
    let uplink = server.members.iter().find(|member| member.name.starts_with("uplink")).unwrap();
    let url = format!("http://{}{MESSAGES}", uplink.public[0]);
    let post = chat("e1", "after the move");
    let sent = reqwest::Client::new().post(url).bearer_auth(&ann).body(post).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    for bot in &mut bots {
        bot.hears("after the move").await;
    }
}
