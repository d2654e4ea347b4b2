//! A fleet: lanes and mail on NATS, tables in PostgreSQL, two gateways, two uplinks and a courier, each killed or
//! stopped.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_testkit::{Answer, PostgresServer, Server, process, wait};
use serde_json::{Value, json};
use tokio::process::Command;

use super::device::Device;
use super::person::{letter, texts};
use crate::fleet::fleet;
use crate::support::BINARY;

const EFFECT_MAX: Duration = Duration::from_secs(40);

/// A user at one uplink.
struct At<'a> {
    server: &'a Server,
    uplink: SocketAddr,
    token: String,
}

impl At<'_> {
    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.server.call_at(self.uplink, method, path, &self.token, &body).await
    }

    async fn texts(&self, conversation: &str) -> Vec<String> {
        let path = format!("/v1/conversations/{conversation}/messages?after=0&limit=200");
        let page = self.call("GET", &path, Value::Null).await;
        texts(page.body["items"].as_array().unwrap_or(&Vec::new())).into_iter().map(str::to_owned).collect()
    }
}

/// Process ids whose command line has a text.
async fn processes(pattern: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-f", pattern]).output().await.expect("`pgrep` of procps");
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Kills a member of the fleet at once.
async fn kill(server: &Server, name: &str) {
    let folder = server.data_dir().join("members").join(name);
    let found = processes(&format!("with-stdin --data-dir {}( |$)", folder.display())).await;
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    assert!(process::signal("KILL", found));
}

/// Public addresses of the two members of a role.
fn members(server: &Server, role: &str) -> [SocketAddr; 2] {
    let of_role: Vec<_> = server.members.iter().filter(|member| member.name.starts_with(role)).collect();
    [0, 1].map(|at: usize| of_role[at].public[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_fleet_outlive_its_courier_and_its_database() {
    let postgres = PostgresServer::start().await;
    let mut options = fleet(&["--cluster", "--gateways", "2", "--uplinks", "2"]);
    options.environment.extend(
        [
            ("INBOX__ENABLED", "true".to_owned()),
            ("POSTGRES__URL", postgres.url("postgres")),
            ("POSTGRES__CALL_TIMEOUT_MS", "3000".to_owned()),
        ]
        .map(|(name, value)| (format!("BARRAGE_{name}"), value)),
    );
    let server = Server::start(BINARY, options).await;
    let [one, two] = members(&server, "uplink");
    let [gateway, other] = members(&server, "gateway");
    let token = async |user: &str| server.token(user, "*", "admin").await;
    let ann = At { server: &server, uplink: one, token: token("ann").await };
    let bob = At { server: &server, uplink: two, token: token("bob").await };
    let everyone = json!({ "policy": "everyone" });
    assert_eq!(bob.call("PUT", "/v1/inbox/preferences", everyone).await.status, 200);
    let mut phone = Device::open(gateway, one, "bob", &bob.token).await;
    let mut laptop = Device::open(other, two, "bob", &bob.token).await;
    let sent = ann.call("POST", "/v1/users/bob/messages", letter("m1", "first")).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let conversation = sent.body["conversation"].as_str().unwrap().to_owned();
    let arrives = async |text: &str| {
        wait::until_true(EFFECT_MAX, text, async || {
            bob.texts(&conversation).await.last().is_some_and(|last| last == text)
        })
        .await;
    };
    arrives("first").await;
    phone.until_unread(1).await;
    laptop.until_unread(1).await;
    // The same id at another uplink is the same letter.
    let again = At { uplink: two, ..At { token: ann.token.clone(), ..ann } };
    let twice = again.call("POST", "/v1/users/bob/messages", letter("m1", "first")).await;
    assert_eq!(twice.body["outcome"], "duplicate");
    let made = again.call("POST", "/v1/groups", json!({ "title": "Fans" })).await;
    assert_eq!(made.body["in_force"], true, "{made:?}");

    kill(&server, "courier").await;
    let sent = again.call("POST", "/v1/users/bob/messages", letter("m2", "without a courier")).await;
    assert_eq!(sent.body["outcome"], "accepted", "{sent:?}");
    arrives("without a courier").await;
    // The mail of the first batch of a new courier may be lost: it rings all.
    phone.until_unread(2).await;
    laptop.until_unread(2).await;
    drop(laptop);

    postgres.pause();
    let sent = again.call("POST", "/v1/users/bob/messages", letter("m3", "without a database")).await;
    assert_eq!(sent.body["outcome"], "accepted", "{sent:?}");
    let refused = bob.call("GET", "/v1/inbox", Value::Null).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{refused:?}");
    postgres.resume();
    arrives("without a database").await;
    assert_eq!(bob.texts(&conversation).await, ["first", "without a courier", "without a database"]);
    phone.until_unread(3).await;

    // A gateway that dies takes its devices with it, and nothing of the others.
    kill(&server, "gateway-2").await;
    let sent = ann.call("POST", "/v1/users/bob/messages", letter("m4", "without a gateway")).await;
    assert_eq!(sent.body["outcome"], "accepted", "{sent:?}");
    phone.until_unread(4).await;
    assert!(phone.losses <= 2, "{} bells to all devices", phone.losses);
    assert!(phone.syncs <= 8, "{} requests", phone.syncs);
}
