//! Versions, facts and the heartbeat of a viewer, against a server that does what the test says.

use std::time::Duration;

use barrage_client::{Event, Network, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::code::Refusal;
use barrage_protocol::entry::Transport;
use barrage_protocol::facts::{FrameEncoding, NetworkType};
use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_protocol::post::Post;
use barrage_protocol::{ClientFacts, Code, Sequence};

use crate::fake::{Fake, Ws, hello, hello_of, next};

const HELLO_1_1: &str = r#"{"type":"hello","room":"demo","connection":"c1","ping_interval_ms":25000,"ping_interval_ms_max":270000,"sequence":3,"resume":false,"online":1}"#;

/// Settings of a viewer that states its facts.
fn config(fake: &Fake) -> ViewerConfig {
    let entry_url = format!("http://{}", fake.address);
    let mut config = ViewerConfig::new(entry_url, "demo".parse().unwrap());
    config.heartbeat.network.network_type = NetworkType::Wifi;
    config
}

fn cellular() -> Network {
    Network { network_type: NetworkType::Cellular, ..Network::default() }
}

#[tokio::test]
async fn a_server_of_version_1_0_gets_a_join_of_version_1_0() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(config(&fake));
    let mut socket = fake.socket().await;
    assert_eq!(socket.next().await, ClientFrame::Join { token: None, after: None, client: None });
    socket.send(&hello(3, false, 60_000)).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
}

#[tokio::test]
async fn a_server_of_version_1_1_gets_the_facts_of_each_connection() {
    let mut fake = Fake::start(Ws::TakenByNewer).await;
    let mut viewer = Viewer::start(config(&fake));
    let mut socket = fake.socket().await;
    let ClientFrame::Join { client: Some(facts), .. } = socket.next().await else { panic!("no facts came") };
    assert_eq!(facts.name.unwrap().as_str(), "barrage-client");
    assert_eq!(facts.version.unwrap().to_string(), env!("CARGO_PKG_VERSION"));
    assert_eq!(facts.network, NetworkType::Wifi);
    assert_eq!(facts.encodings, [FrameEncoding::Json, FrameEncoding::Deflate]);
    socket.send(HELLO_1_1).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
    viewer.network_changed(cellular());
    assert_eq!(socket.next().await, ClientFrame::Ping { id: 1 });
    socket.close(Code::SlowViewer.close(), "").await;
    let mut next_socket = fake.socket().await;
    let ClientFrame::Join { client: Some(facts), .. } = next_socket.next().await else { panic!("no facts") };
    assert_eq!(facts.network, NetworkType::Cellular);
}

#[tokio::test]
async fn streams_and_polls_state_facts_in_the_query() {
    let mut fake = Fake::start(Ws::Refused).await;
    let _viewer = Viewer::start(config(&fake));
    for path in ["/v1/rooms/demo/sse", "/v1/rooms/demo/poll"] {
        let asked = fake.request().await;
        assert_eq!(asked.path, path);
        let url = reqwest::Url::parse(&format!("http://h/?{}", asked.query)).unwrap();
        let client = url.query_pairs().find(|(key, _)| key == "client").unwrap().1.into_owned();
        assert_eq!(ClientFacts::parse(&client).network, NetworkType::Wifi);
        asked.status(502);
    }
}

/// The user posts through a sender; the viewer's server has been silent for longer than ten seconds.
#[tokio::test]
async fn a_post_of_the_viewers_user_examines_a_silent_connection() {
    let mut fake = Fake::start(Ws::TakenByNewer).await;
    let mut viewer = Viewer::start(config(&fake));
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(HELLO_1_1).await;
    hello_of(&mut viewer).await;
    let to_fake = SenderConfig::new(format!("http://{}", fake.address), "t");
    let sender = Sender::new(to_fake).unwrap().with_viewer(&viewer);
    let post = |id: &str| Post::Like { id: id.parse().unwrap(), count: 1 };
    let send = |post: Post| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(&"demo".parse().unwrap(), &post).await })
    };
    let early = send(post("p1"));
    fake.request().await.json(r#"{"outcome":"broadcast","sequence":4}"#);
    early.await.unwrap().unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let late = send(post("p2"));
    // The first ping is that of the second post: the first post came when the server was not silent.
    assert_eq!(socket.next().await, ClientFrame::Ping { id: 1 });
    fake.request().await.json(r#"{"outcome":"broadcast","sequence":5}"#);
    late.await.unwrap().unwrap();
    // The viewer may end before its sender.
    drop(viewer);
    let last = send(post("p3"));
    fake.request().await.json(r#"{"outcome":"broadcast","sequence":6}"#);
    last.await.unwrap().unwrap();
}

/// The server does not answer the ping: the old network's connection is dead.
#[tokio::test]
async fn a_connection_that_did_not_outlive_a_change_of_network_is_replaced() {
    let mut fake = Fake::start(Ws::TakenByNewer).await;
    let mut viewer = Viewer::start(config(&fake));
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { after: None, .. }));
    socket.send(HELLO_1_1).await;
    hello_of(&mut viewer).await;
    viewer.network_changed(cellular());
    assert_eq!(socket.next().await, ClientFrame::Ping { id: 1 });
    let mut next_socket = fake.socket().await;
    assert!(matches!(next_socket.next().await, ClientFrame::Join { after: Some(Sequence(3)), .. }));
}

#[tokio::test]
async fn a_change_of_network_ends_the_wait_for_a_reconnect() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(config(&fake));
    let mut socket = fake.socket().await;
    let refusal = Refusal::new(Code::Overloaded, "no place").retry_after_ms(3_600_000);
    socket.send(&serde_json::to_string(&ServerFrame::Error(refusal)).unwrap()).await;
    while !matches!(next(&mut viewer).await, Event::Reconnecting { wait_ms: 3_600_000.., .. }) {}
    viewer.network_changed(cellular());
    fake.joined(0).await;
}
