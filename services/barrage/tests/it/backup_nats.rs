//! `barrage backup` and `barrage restore` of the streams on NATS, with a store in files and in PostgreSQL.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use barrage_protocol::frame::RepairOutcome;
use barrage_testkit::{NatsServer, PostgresServer, RawSocket, Server, ServerOptions, wait};
use serde_json::json;

use crate::backup::{history, post_gift, run};
use crate::support::{BINARY, MESSAGES, chat};

/// Positions that a restore leaves out.
const SKIPPED: u64 = 1 << 32;

/// Writes a configuration of one process on NATS, and returns its path.
fn configuration(folder: &Path, nats: &NatsServer, postgres: Option<&PostgresServer>) -> String {
    let mut text = format!("[nats]\nurls = [\"{}\"]\n", nats.url());
    if let Some(postgres) = postgres {
        text.push_str(&format!("[postgres]\nurl = \"{}\"\n", postgres.url("postgres")));
    }
    let file = folder.join("barrage.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn on(config: &str, data_dir: &Path) -> ServerOptions {
    let environment = vec![("BARRAGE_CONFIG".to_owned(), config.to_owned())];
    ServerOptions { environment, data_dir: Some(data_dir.to_owned()), ..ServerOptions::default() }
}

/// Posts gifts under ids that begin with `name`, and returns their positions by id.
async fn gifts(server: &Server, token: &str, name: &str) -> BTreeMap<String, u64> {
    let mut posted = BTreeMap::new();
    for n in 0..20 {
        let id = format!("{name}.{n}");
        posted.insert(id.clone(), post_gift(server, token, &id).await);
    }
    posted
}

/// Checks a restored server: mutes of the backup are in force, and positions go on far behind `newest`.
async fn goes_on(server: &Server, token: &str, muted: &str, newest: u64) {
    let refused = server.post(MESSAGES, muted, chat("m", "hello")).await;
    assert_eq!((refused.status, refused.code()), (403, "muted"), "the mute is of the backup");
    let restored = post_gift(server, token, "restored").await;
    assert!(restored > newest + SKIPPED / 2, "{restored} may have been given after the backup");
    let mut socket = RawSocket::join(server.public, "demo", Some(token), Some(newest)).await;
    let repair = socket.next_batch().await.repair.unwrap();
    assert_eq!(repair.outcome, RepairOutcome::Gone);
}

#[tokio::test]
async fn streams_and_data_directory_of_a_running_server_come_back_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (data, copy, other) = (folder.join("data"), folder.join("copy"), folder.join("other"));
    let (data_dir, copy_dir, other_dir) =
        (data.to_str().unwrap(), copy.to_str().unwrap(), other.to_str().unwrap());
    let mut nats = NatsServer::start().await;
    let config = configuration(folder, &nats, None);
    let mut server = Server::start(BINARY, on(&config, &data)).await;
    let (token, muted) =
        (server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await);
    let admin = server.token("a", "*", "admin").await;
    let mute = json!({ "user": "u2", "secs": 3600 });
    assert_eq!(server.admin("POST", "/rooms/demo/mute", &admin, &mute).await.status, 200);
    let before = gifts(&server, &token, "before").await;
    let backup = ["--config", &config, "--data-dir", data_dir, "backup", "--to", copy_dir];
    let (backed_up, during) = tokio::join!(run(folder, &backup), gifts(&server, &token, "during"));
    assert!(backed_up.0, "{}", backed_up.1);
    let after = gifts(&server, &token, "after").await;
    server.kill().await;

    // The servers still have their streams: nothing is replaced.
    let restore = ["--config", &config, "--data-dir", other_dir, "restore", "--from", copy_dir];
    let (succeeded, text) = run(folder, &restore).await;
    assert!(!succeeded && text.contains("a restore replaces nothing"), "{text}");
    assert!(!other.exists(), "a refused restore leaves no data directory");

    // All disks of NATS are lost: the next server is empty.
    nats.kill();
    let nats = NatsServer::start().await;
    let config = configuration(folder, &nats, None);
    let restore = ["--config", &config, "--data-dir", other_dir, "restore", "--from", copy_dir];
    let (succeeded, text) = run(folder, &restore).await;
    assert!(succeeded, "{text}");
    let server = Server::start(BINARY, on(&config, &other)).await;
    wait::until_true(Duration::from_secs(20), "the gifts of the backup in the history", async || {
        let found = history(&server).await;
        before.iter().all(|gift| found.get(gift.0) == Some(gift.1))
            && found.iter().all(|(id, at)| before.get(id) == Some(at) || during.get(id) == Some(at))
    })
    .await;
    goes_on(&server, &token, &muted, *after.values().max().unwrap()).await;
}

#[tokio::test]
async fn archive_that_is_newer_than_the_streams_of_a_backup_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (data, copy) = (folder.join("data"), folder.join("copy"));
    let (data_dir, copy_dir) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let (mut nats, postgres) = (NatsServer::start().await, PostgresServer::start().await);
    let config = configuration(folder, &nats, Some(&postgres));
    let mut server = Server::start(BINARY, on(&config, &data)).await;
    let (token, muted) =
        (server.token("u1", "demo", "viewer").await, server.token("u2", "demo", "viewer").await);
    let admin = server.token("a", "*", "admin").await;
    let mute = json!({ "user": "u2", "secs": 3600 });
    assert_eq!(server.admin("POST", "/rooms/demo/mute", &admin, &mute).await.status, 200);
    let mut all = gifts(&server, &token, "before").await;
    let backup = ["--config", &config, "--data-dir", data_dir, "backup", "--to", copy_dir];
    let (succeeded, text) = run(folder, &backup).await;
    assert!(succeeded && text.contains("PostgreSQL is not in it"), "{text}");
    assert!(!copy.join("token.key").exists(), "keys of a cluster are in the operator's secret store");
    all.extend(gifts(&server, &token, "after").await);
    let newest = *all.values().max().unwrap();
    wait::until_true(Duration::from_secs(20), "all gifts in the archive", async || {
        history(&server).await == all
    })
    .await;
    server.kill().await;
    nats.kill();

    let nats = NatsServer::start().await;
    let config = configuration(folder, &nats, Some(&postgres));
    let (succeeded, text) = run(folder, &["--config", &config, "restore", "--from", copy_dir]).await;
    assert!(succeeded && text.contains("0 messages that the archive lacked"), "{text}");
    let server = Server::start(BINARY, on(&config, &data)).await;
    assert_eq!(history(&server).await, all);
    goes_on(&server, &token, &muted, newest).await;
    // The archiver goes on behind the gap.
    wait::until_true(Duration::from_secs(20), "the gift after the restore in the archive", async || {
        history(&server).await.contains_key("restored")
    })
    .await;
}
