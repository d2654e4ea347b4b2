//! Mail over NATS that is lost on its way to one gateway.

use std::time::Duration;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::{NatsServer, PostgresServer, Proxy, Server, ServerOptions, Treatment, wait};

use super::device::Device;
use super::person::Person;
use crate::support::BINARY;

/// Time after the other gateway's mail by which this one's has arrived at the proxy.
const SWALLOWED: Duration = Duration::from_millis(50);

/// Starts a gateway of its own, which reaches NATS through a proxy, and waits until it has heard the courier: who
/// attaches afterwards is rung for later losses alone.
async fn gateway(server: &Server, proxy: &Proxy, folder: &std::path::Path) -> Process {
    let (public, admin) = (free_address(), free_address());
    let data_dir = server.data_dir().display().to_string();
    let words = ["gateway", "--listen", &public.to_string(), "--admin-listen", &admin.to_string()];
    let mut command = vec![BINARY.to_owned()];
    command.extend(words.map(str::to_owned));
    command.extend(["--data-dir".to_owned(), data_dir]);
    let environment = [
        ("BARRAGE_NATS__URLS", format!("[\"nats://{}\"]", proxy.address)),
        ("BARRAGE_GATEWAY__ID", "apart".to_owned()),
        ("BARRAGE_INBOX__ENABLED", "true".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let folder = folder.to_owned();
    let recipe = Recipe { name: "apart".into(), command, environment, folder, address: public };
    let process = Process::start(recipe).await;
    wait::until_true(Duration::from_secs(20), "an envelope of the courier", async || {
        let metrics = reqwest::get(format!("http://{admin}/metrics")).await;
        let Ok(metrics) = metrics else { return false };
        let metrics = metrics.text().await.unwrap_or_default();
        metrics.lines().any(|line| line == "barrage_gateway_mail_losses_total 1")
    })
    .await;
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_mail_is_noticed_within_seconds_and_rings_once() {
    let (nats, postgres) = (NatsServer::start().await, PostgresServer::start().await);
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("BARRAGE_NATS__URLS", format!("[\"{}\"]", nats.url())),
        ("BARRAGE_POSTGRES__URL", postgres.url("postgres")),
        ("BARRAGE_GATEWAY__ID", "one".to_owned()),
        // Each lane has envelopes of its own, and its first one is a loss to a gateway.
        ("BARRAGE_INBOX__LANES", "1".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let server = Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await;
    let proxy = Proxy::start().await;
    proxy.connect_to(nats.address());
    let apart = gateway(&server, &proxy, folder.path()).await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    bob.done("PUT", "/v1/inbox/preferences", serde_json::json!({ "policy": "everyone" })).await;
    let mut near = Device::open(server.public, server.public, "bob", &bob.token).await;
    let mut far = Device::open(apart.recipe.address, server.public, "bob", &bob.token).await;
    let mut sent = 0;
    let mut write = async || {
        sent += 1;
        ann.write("bob", &format!("m{sent}"), &format!("letter {sent}")).await;
    };
    write().await;
    near.until_unread(1).await;
    far.until_unread(1).await;
    let (losses, syncs) = (far.losses, (near.syncs, near.losses));
    proxy.set(Treatment::Mute);
    write().await;
    near.until_unread(2).await;
    tokio::time::sleep(SWALLOWED).await;
    proxy.set(Treatment::Pass);
    let lost_at = std::time::Instant::now();
    far.until_unread(2).await;
    // A courier sends an envelope each second, whose number shows the gap.
    let took = lost_at.elapsed();
    assert!(took < Duration::from_secs(4), "the loss was noticed after {took:?}");
    assert_eq!(far.losses, losses + 1);
    // A further loss, within the time over which clients spread their requests, rings no second time.
    proxy.set(Treatment::Mute);
    write().await;
    near.until_unread(3).await;
    tokio::time::sleep(SWALLOWED).await;
    proxy.set(Treatment::Pass);
    far.listen(Duration::from_secs(2)).await;
    assert_eq!(far.losses, losses + 1);
    // The gateway whose mail arrived rang nobody, and its device asked nothing.
    assert_eq!((near.syncs, near.losses), syncs);
    let known = async || server.metric("barrage_inbox_unread_error_total").await < 0.5;
    wait::until_true(Duration::from_secs(5), "unread numbers without an error", known).await;
}
