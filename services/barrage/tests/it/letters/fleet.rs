//! A fleet: lanes on NATS, tables in PostgreSQL, two uplinks and a courier, each killed or stopped.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_testkit::{Answer, PostgresServer, Server, process, wait};
use serde_json::{Value, json};
use tokio::process::Command;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_fleet_outlive_its_courier_and_its_database() {
    let postgres = PostgresServer::start().await;
    let mut options = fleet(&["--cluster", "--gateways", "1", "--uplinks", "2"]);
    options.environment.extend(
        [
            ("INBOX__ENABLED", "true".to_owned()),
            ("POSTGRES__URL", postgres.url("postgres")),
            ("POSTGRES__CALL_TIMEOUT_MS", "3000".to_owned()),
        ]
        .map(|(name, value)| (format!("BARRAGE_{name}"), value)),
    );
    let server = Server::start(BINARY, options).await;
    let uplinks: Vec<_> = server.members.iter().filter(|member| member.name.starts_with("uplink")).collect();
    let [one, two] = [0, 1].map(|at: usize| uplinks[at].public[0]);
    let token = async |user: &str| server.token(user, "*", "admin").await;
    let ann = At { server: &server, uplink: one, token: token("ann").await };
    let bob = At { server: &server, uplink: two, token: token("bob").await };
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
    // The same id at another uplink is the same letter.
    let again = At { uplink: two, ..At { token: ann.token.clone(), ..ann } };
    let twice = again.call("POST", "/v1/users/bob/messages", letter("m1", "first")).await;
    assert_eq!(twice.body["outcome"], "duplicate");
    let made = again.call("POST", "/v1/groups", json!({ "title": "Fans" })).await;
    assert_eq!(made.body["in_force"], true, "{made:?}");

    let couriers =
        processes(&format!("courier --with-stdin --data-dir {}", server.data_dir().display())).await;
    assert_eq!(couriers.len(), 1, "{couriers:?}");
    assert!(process::signal("KILL", couriers));
    let sent = again.call("POST", "/v1/users/bob/messages", letter("m2", "without a courier")).await;
    assert_eq!(sent.body["outcome"], "accepted", "{sent:?}");
    arrives("without a courier").await;

    postgres.pause();
    let sent = again.call("POST", "/v1/users/bob/messages", letter("m3", "without a database")).await;
    assert_eq!(sent.body["outcome"], "accepted", "{sent:?}");
    let refused = bob.call("GET", "/v1/inbox", Value::Null).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{refused:?}");
    postgres.resume();
    arrives("without a database").await;
    assert_eq!(bob.texts(&conversation).await, ["first", "without a courier", "without a database"]);
}
