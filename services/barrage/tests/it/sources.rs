//! Sources of endpoints and the checks of ports, on a real server with TLS.

use std::time::Duration;

use barrage_client::{ClientTls, Event, HttpPool, SourceConfig, Viewer, ViewerConfig};
use barrage_protocol::entry::{EntryAnswer, Transport};
use barrage_testkit::process::free_address;
use barrage_testkit::{Server, certificates, wait};
use tempfile::TempDir;

use crate::support::{barrage, start_with, text_of};

/// Longest wait for an event.
const EVENT_MAX: Duration = Duration::from_secs(30);

/// Starts a server with TLS that names 127.0.0.1 for `localhost`. Returns it with the folder of its
/// certificates and its URL.
async fn start() -> (Server, TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let settings = [
        ("HTTP__TLS_CERT_FILE", cert.as_str()),
        ("HTTP__TLS_KEY_FILE", key.as_str()),
        ("ENTRY__ADDRESSES", r#"[{host="localhost",ips=["127.0.0.1"]}]"#),
        ("ENTRY__URLS", r#"["https://localhost:1"]"#),
    ];
    let server = start_with(&settings).await;
    let url = format!("https://localhost:{}", server.public.port());
    (server, folder, url)
}

async fn hello(viewer: &mut Viewer) -> Transport {
    loop {
        match wait::within(EVENT_MAX, "a hello", viewer.next()).await.unwrap() {
            Event::Hello(_, transport) => return transport,
            Event::Closed { message, .. } => panic!("closed: {message}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn embedded_list_of_the_server_connects_a_client_whose_entry_is_dead() {
    let (_server, folder, url) = start().await;
    let tls = ClientTls::load(Some(&folder.path().join("ca.pem"))).unwrap();
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls.rustls()).build().unwrap();
    let list = http.get(format!("{url}/v1/entry/fallback")).send().await.unwrap();
    let list: EntryAnswer = list.json().await.unwrap();
    assert_eq!(list.addresses["localhost"].len(), 1);
    assert_eq!(list.entries, ["https://localhost:1"]);
    let dead = format!("https://localhost:{}", free_address().port());
    let keep_file = folder.path().join("kept.json");
    let sources = SourceConfig { keep_file: Some(keep_file.clone()), ..SourceConfig::default() };
    let config = |fallback| ViewerConfig {
        fallback,
        sources: sources.clone(),
        ..ViewerConfig::new(&dead, "demo".parse().unwrap())
    };
    let mut by_list = Viewer::start_with(config(Some(list)), &HttpPool::with_tls(&tls));
    assert_eq!(hello(&mut by_list).await, Transport::Ws);
    assert!(!keep_file.exists(), "a list is no answer of entry");
    // Another entry of the platform answers, and its answer is kept under the name of the first.
    let mut second = config(None);
    second.sources.entries = vec![url];
    let mut by_entry = Viewer::start_with(second, &HttpPool::with_tls(&tls));
    assert_eq!(hello(&mut by_entry).await, Transport::Ws);
    wait::until_true(EVENT_MAX, "the answer on disk", async || keep_file.exists()).await;
    let mut by_file = Viewer::start_with(config(None), &HttpPool::with_tls(&tls));
    assert_eq!(hello(&mut by_file).await, Transport::Ws);
}

#[tokio::test]
async fn doctor_checks_ports_and_addresses_that_clients_are_sent_to() {
    let (_server, folder, url) = start().await;
    let closed = free_address().port();
    let settings = format!(
        "ca_file = \"ca.pem\"\n[gateway]\nbase_urls = [\"{url}\", \"https://localhost:{closed}\"]\n\
         [entry]\nurls = [\"{url}\"]\n[[entry.addresses]]\nhost = \"localhost\"\n\
         ips = [\"127.0.0.1\", \"127.0.0.9\"]\n"
    );
    std::fs::write(folder.path().join("barrage.toml"), settings).unwrap();
    let output = barrage(folder.path(), &["doctor"]).await;
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let port = url.rsplit(':').next().unwrap();
    for wanted in [
        format!("BAD   ports: clients are sent to localhost port {closed}, but nothing answers there"),
        "RISK  ports: localhost does not answer on 443".to_owned(),
        "good  entry.addresses: 127.0.0.1 answers as localhost".to_owned(),
        format!("BAD   entry.addresses: 127.0.0.9 does not answer as {url}"),
    ] {
        assert!(text.contains(&wanted), "{wanted} is not in\n{text}");
    }
    let answering = text.lines().find(|line| line.contains("localhost answers this machine on")).unwrap();
    assert!(answering.contains(port), "{answering}");
}

#[tokio::test]
async fn addresses_that_cannot_work_are_refused_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("barrage.toml"),
        "[entry]\nurls = [\"live.example\"]\n[[entry.addresses]]\nhost = \"https://live.example\"\nips = []\n",
    )
    .unwrap();
    let output = barrage(folder.path(), &["config", "check"]).await;
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(64), "{text}");
    for wanted in ["entry.addresses, number 1: host:", "entry.addresses, number 1: ips: 1 to 8", "entry.urls"]
    {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
}
