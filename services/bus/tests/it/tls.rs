//! NATS behind TLS: name and authority of the server are checked before anything is sent.

use barrage_bus::nats::NatsError;
use barrage_bus::{BusConfig, Log, NatsBus, NatsConfig};
use barrage_protocol::Class;
use barrage_testkit::{NatsServer, certificates};

use crate::drafts::draft;
use crate::engine::{metrics, nats_config};

#[tokio::test]
async fn a_server_with_another_name_or_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let server =
        NatsServer::start_with(&["--tls", "--tlscert", &file("cert.pem"), "--tlskey", &file("key.pem")])
            .await;
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let trusting = NatsConfig {
        urls: vec![format!("tls://localhost:{port}").into()],
        tls_ca_file: Some(folder.path().join("ca.pem")),
        ..nats_config(&server)
    };
    let connect =
        async |config: &NatsConfig| NatsBus::connect(config.clone(), BusConfig::default(), metrics()).await;
    let bus = connect(&trusting).await.unwrap();
    bus.publish(vec![draft("r", "u", "m1", Class::Gift)]).await.unwrap();
    let by_address = NatsConfig { urls: vec![format!("tls://127.0.0.1:{port}").into()], ..trusting.clone() };
    let stranger = NatsConfig { tls_ca_file: None, ..trusting.clone() };
    for (config, what) in [(by_address, "the name"), (stranger, "the authority")] {
        let refused = connect(&config).await.err();
        assert!(matches!(refused, Some(NatsError::Connect(_))), "{what} was not checked: {refused:?}");
    }
    let half = NatsConfig { tls_cert_file: Some("cert.pem".into()), ..trusting };
    assert!(matches!(connect(&half).await.err(), Some(NatsError::Config(_))));
}
