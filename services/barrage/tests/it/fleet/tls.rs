//! A fleet with TLS on every public listener and to every server behind it.

use std::path::Path;
use std::time::Duration;

use barrage_client::{ClientTls, HttpPool, SendError, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_testkit::{NatsServer, PostgresServer, RedisServer, Server, certificates, wait};

use super::probe::metric;
use super::{STEP_MAX, fleet, gift, joined, receives};
use crate::support::BINARY;

/// Longest wait for the first successes of the probe: on a busy machine its examinations take longer than
/// the limits of `[probe]` for a while.
const PROBE_MAX: Duration = Duration::from_secs(120);

/// Starts a fleet whose members have a certificate of the authority in `folder`.
async fn start(folder: &Path, nats: &NatsServer, redis: &RedisServer, postgres: &PostgresServer) -> Server {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut options = fleet(&["--cluster", "--gateways", "2", "--uplinks", "2"]);
    let settings = [
        ("HTTP__TLS_CERT_FILE", file("cert.pem")),
        ("HTTP__TLS_KEY_FILE", file("key.pem")),
        ("CA_FILE", file("ca.pem")),
        ("NATS__URLS", format!("[\"tls://localhost:{}\"]", nats.address().port())),
        ("NATS__TLS_CA_FILE", file("ca.pem")),
        ("REDIS__URL", format!("rediss://localhost:{}", redis.address().port())),
        ("REDIS__TLS_CA_FILE", redis.folder().join("ca.pem").display().to_string()),
        ("POSTGRES__URL", postgres.tls_url("postgres")),
    ];
    options.environment.extend(settings.map(|(name, value)| (format!("BARRAGE_{name}"), value)));
    Server::start(BINARY, options).await
}

#[tokio::test]
async fn fleet_with_tls_everywhere_serves_clients_that_trust_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    // Gateways and uplinks of the fleet name themselves by their address.
    certificates::make_for(folder.path(), "DNS:localhost,IP:127.0.0.1");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let nats =
        NatsServer::start_with(&["--tls", "--tlscert", &file("cert.pem"), "--tlskey", &file("key.pem")])
            .await;
    let (redis, postgres) = tokio::join!(RedisServer::start_with_tls(), PostgresServer::start_with_tls());
    let server = start(folder.path(), &nats, &redis, &postgres).await;
    let url = format!("https://localhost:{}", server.public.port());

    let tls = ClientTls::load(Some(&folder.path().join("ca.pem"))).unwrap();
    let (pool, room) = (HttpPool::with_tls(&tls), "demo".parse().unwrap());
    let mut viewer = Viewer::start_with(ViewerConfig::new(&url, "demo".parse().unwrap()), &pool);
    joined(&mut viewer).await;
    let token = server.token("u1", "demo", "viewer").await;
    let sender = Sender::with_tls(SenderConfig::through_entry(&url, &token), &tls).unwrap();
    sender.send(&room, &gift("g1")).await.unwrap();
    receives(&mut viewer, "g1").await;

    let uplink = server.members.iter().find(|member| member.name == "uplink-1").unwrap().public[0];
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls.rustls()).build().unwrap();
    wait::until_true(STEP_MAX, "the gift in the history", async || {
        let history = format!("https://{uplink}/v1/rooms/demo/history?limit=5");
        http.get(history).send().await.unwrap().text().await.unwrap().contains("\"g1\"")
    })
    .await;

    let probe = server.members.iter().find(|member| member.name == "probe").unwrap().admin;
    wait::until_true(PROBE_MAX, "the probe finds both gateways up over TLS", async || {
        let up =
            async |id: &str| metric(probe, &format!("barrage_probe_gateway_up{{gateway=\"{id}\"}}")).await;
        metric(probe, "barrage_probe_attempts_total{outcome=\"success\"}").await >= 2.0
            && up("gateway-1").await > 0.5
            && up("gateway-2").await > 0.5
    })
    .await;

    let stranger =
        Sender::new(SenderConfig { deadline: STEP_MAX / 60, ..SenderConfig::through_entry(&url, token) });
    let refused = stranger.unwrap().send(&room, &gift("g2")).await;
    let Err(SendError::Deadline(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("UnknownIssuer") && text.contains("--ca-file"), "{text}");
}
