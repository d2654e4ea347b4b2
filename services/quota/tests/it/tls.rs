//! Redis behind TLS: name and authority of the server are checked before anything is sent.

use barrage_counters::Online;
use barrage_quota::{QuotaError, RedisMetrics, RedisOnline, RedisQuotaConfig, inspect};
use barrage_testkit::RedisServer;
use prometheus::Registry;

#[tokio::test]
async fn a_server_with_another_name_or_authority_is_refused() {
    let server = RedisServer::start_with_tls().await;
    let trusting = RedisQuotaConfig {
        url: format!("rediss://localhost:{}", server.address().port()).into(),
        tls_ca_file: Some(server.folder().join("ca.pem")),
        ..RedisQuotaConfig::default()
    };
    assert!(inspect(&trusting).await.is_ok_and(|info| info.version.starts_with('7')));
    let online = RedisOnline::new(&trusting, RedisMetrics::new(&Registry::new()).unwrap()).unwrap();
    assert_eq!(online.exchange("a", &[("r".parse().unwrap(), 3)]).await, Some(vec![3]));
    let by_address = RedisQuotaConfig {
        url: format!("rediss://127.0.0.1:{}", server.address().port()).into(),
        ..trusting.clone()
    };
    assert!(matches!(inspect(&by_address).await, Err(QuotaError::Away(_))), "the name was not checked");
    let stranger = RedisQuotaConfig { tls_ca_file: None, ..trusting.clone() };
    assert!(matches!(inspect(&stranger).await, Err(QuotaError::Away(_))), "the authority was not checked");
    let half = RedisQuotaConfig { tls_cert_file: Some("cert.pem".into()), ..trusting };
    assert!(matches!(inspect(&half).await, Err(QuotaError::Tls("tls_cert_file", _))));
}
