//! Redis behind TLS: the server's name is checked, and nothing is said to another one.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use barrage_flow::Online;
use barrage_quota::{QuotaError, RedisOnline, RedisQuotaConfig, look};
use barrage_testkit::certificates;

struct TlsServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server whose certificate is for `localhost`, signed by an authority of our own.
async fn start() -> TlsServer {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    certificates::make(at);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap().port();
    let child = Command::new("redis-server")
        .args(["--port", "0", "--bind", "127.0.0.1", "--save", "", "--tls-auth-clients", "no"])
        .args(["--tls-port", &port.to_string(), "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"])
        .args(["--tls-ca-cert-file", "ca.pem"])
        .current_dir(at)
        .stdout(Stdio::null())
        .spawn()
        .expect("`redis-server`");
    let server = TlsServer { child, port, folder };
    for _ in 0..500 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return server;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("redis-server did not start");
}

#[tokio::test]
async fn only_a_server_with_the_right_name_and_authority_is_spoken_to() {
    let server = start().await;
    let trusting = RedisQuotaConfig {
        url: format!("rediss://localhost:{}", server.port).into(),
        tls_ca_file: Some(server.folder.path().join("ca.pem")),
        ..RedisQuotaConfig::default()
    };
    assert!(look(&trusting).await.is_ok_and(|seen| seen.version.starts_with('7')));
    let online = RedisOnline::new(&trusting).unwrap();
    assert_eq!(online.exchange("a", &[("r".parse().unwrap(), 3)]).await, Some(vec![3]));
    let by_address =
        RedisQuotaConfig { url: format!("rediss://127.0.0.1:{}", server.port).into(), ..trusting.clone() };
    assert!(matches!(look(&by_address).await, Err(QuotaError::Away(_))), "the name was not checked");
    let stranger = RedisQuotaConfig { tls_ca_file: None, ..trusting.clone() };
    assert!(matches!(look(&stranger).await, Err(QuotaError::Away(_))), "the authority was not checked");
    let half = RedisQuotaConfig { tls_cert_file: Some("cert.pem".into()), ..trusting };
    assert!(matches!(look(&half).await, Err(QuotaError::Tls("tls_cert_file", _))));
}
