//! One message's trace, from the client's request to the client's acknowledgement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use barrage_client::{Event, Viewer, ViewerConfig};
use barrage_testkit::{NatsServer, OtlpReceiver, ReceivedSpan, Server, ServerOptions, wait};
use serde_json::{Value, json};

use crate::support::{BINARY, MESSAGES, barrage, chat, gift, paid_gift, start_probe, text_of};

const PATIENCE: Duration = Duration::from_secs(20);
/// The caller's trace and span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const POST: &str = "POST /v1/rooms/{room}/messages";
/// Names of the spans of a message that a viewer acknowledged.
const WHOLE: [&str; 7] = [POST, "checks", "publish room", "archive room", "process room", "write", "ack"];

fn settings(receiver: &OtlpReceiver, more: &[(&str, String)]) -> ServerOptions {
    let traced = [("TRACE__ENDPOINT", receiver.url()), ("TRACE__EXPORT_MS", "20".into())];
    let all = traced.iter().chain(more);
    let environment = all.map(|(name, value)| (format!("BARRAGE_{name}"), value.clone())).collect();
    ServerOptions { environment, ..ServerOptions::default() }
}

/// Joins the demo room with a viewer that acknowledges sampled messages.
async fn viewer(server: &Server) -> Viewer {
    let config = ViewerConfig {
        traces: true,
        ..ViewerConfig::new(format!("http://{}", server.public), "demo".parse().unwrap())
    };
    let mut viewer = Viewer::start(config);
    let hello = async { while !matches!(viewer.next().await, Some(Event::Hello(..))) {} };
    wait::within(PATIENCE, "the hello of a viewer", hello).await;
    viewer
}

/// Posts a gift with a `traceparent`, and returns the answer and its `traceresponse`.
async fn post_traced(server: &Server, token: &str, post: String) -> (Value, Option<String>) {
    let request = reqwest::Client::new().post(format!("http://{}{MESSAGES}", server.public));
    let request = request.bearer_auth(token).header("traceparent", format!("00-{TRACE}-{PARENT}-00"));
    let response = request.body(post).send().await.unwrap();
    let header = response.headers().get("traceresponse").map(|value| value.to_str().unwrap().to_owned());
    (response.json().await.unwrap(), header)
}

/// Checks ids, parents, links and counts of the spans of one gift.
fn assert_whole(found: &BTreeMap<String, ReceivedSpan>, sequence: &Value, system: &str) {
    let parent_of = |name: &str| found[name].parent.as_str();
    let publish = found["publish room"].id.as_str();
    assert_eq!(parent_of(POST), PARENT);
    assert_eq!((parent_of("checks"), parent_of("publish room")), (&*found[POST].id, &*found[POST].id));
    assert_eq!((parent_of("archive room"), parent_of("process room")), (publish, publish));
    assert_eq!((parent_of("write"), parent_of("ack")), (&*found["process room"].id, &*found["write"].id));
    for name in ["archive room", "process room"] {
        assert_eq!(found[name].links, [(TRACE.to_owned(), publish.to_owned())], "{name}");
    }
    let attribute = |name: &str, key: &str| found[name].attributes[key].clone();
    assert_eq!(attribute("publish room", "messaging.system"), system);
    assert_eq!(attribute("publish room", "barrage.sequence"), sequence.to_string());
    assert_eq!(attribute("process room", "messaging.destination.template"), "room.{id}");
    assert_eq!(attribute("process room", "messaging.batch.message_count"), "1");
    assert_eq!((&*attribute("write", "barrage.viewers"), &*attribute(POST, "barrage.user")), ("1", "u1"));
    let (start, end) = found[POST].time_ns;
    assert!(found["publish room"].time_ns.0 >= start && found["publish room"].time_ns.1 <= end);
    assert!(found["ack"].time_ns.1 > found["write"].time_ns.0);
    assert!(found.values().all(|span| !format!("{span:?}").contains("rose")), "no text of a user");
}

#[tokio::test]
async fn one_gift_is_one_trace_from_the_request_to_the_acknowledgement() {
    let receiver = OtlpReceiver::start().await;
    let server = Server::start(BINARY, settings(&receiver, &[])).await;
    let token = server.token("u1", "demo", "admin").await;
    let viewer = viewer(&server).await;
    let (answer, response) = post_traced(&server, &token, paid_gift("g-traced")).await;
    assert_eq!((&answer["outcome"], &answer["trace"]), (&json!("broadcast"), &json!(TRACE)));
    let found = receiver.trace(TRACE, &WHOLE).await;
    assert_whole(&found, &answer["sequence"], "barrage");
    assert_eq!(response.unwrap(), format!("00-{TRACE}-{}-01", found[POST].id));
    drop(viewer);

    let admin = format!("http://{}", server.admin);
    let arguments = ["--data-dir", ".", "why", "g-traced", "--admin", &admin];
    let why = text_of(&barrage(server.data_dir(), &arguments).await);
    assert!(why.contains(&format!("trace {TRACE}")), "{why}");
}

#[tokio::test]
async fn a_trace_goes_on_through_nats_in_another_process() {
    let (receiver, nats) = (OtlpReceiver::start().await, NatsServer::start().await);
    let folder = tempfile::tempdir().unwrap();
    let start = async |name: &str, key_of: Option<&Server>| {
        let data_dir = folder.path().join(name);
        if let Some(other) = key_of {
            std::fs::create_dir(&data_dir).unwrap();
            std::fs::copy(other.data_dir().join("token.key"), data_dir.join("token.key")).unwrap();
        }
        let urls = format!("[\"{}\"]", nats.url());
        let more = [("NATS__URLS", urls), ("GATEWAY__ID", name.to_owned())];
        let options = ServerOptions { data_dir: Some(data_dir), ..settings(&receiver, &more) };
        Server::start(BINARY, options).await
    };
    let one = start("one", None).await;
    let other = start("other", Some(&one)).await;
    let token = one.token("u1", "demo", "admin").await;
    // Entry names both gateways: the viewer must be at the other process.
    let mut at_other = barrage_testkit::RawSocket::joined(other.public, "demo").await;
    at_other.send_text(r#"{"type":"traces"}"#).await;
    let (answer, _) = post_traced(&one, &token, paid_gift("g-nats")).await;
    let batch = at_other.next_batch().await;
    at_other.send_text(&json!({ "type": "traced", "sequence": batch.sequence }).to_string()).await;
    let found = receiver.trace(TRACE, &WHOLE).await;
    assert_whole(&found, &answer["sequence"], "nats");
    let instance = |name: &str| found[name].attributes["service.instance.id"].clone();
    assert_eq!((&*instance("publish room"), &*instance("process room")), ("one", "other"));
}

#[tokio::test]
async fn trace_of_a_probe_ends_with_its_acknowledgement() {
    let (receiver, folder) = (OtlpReceiver::start().await, tempfile::tempdir().unwrap());
    let all = [("TRACE__SAMPLING__UPLINK_CHAT", "1".into()), ("TRACE__SAMPLING__DOWNLINK_CHAT", "1".into())];
    let server = Server::start(BINARY, settings(&receiver, &all)).await;
    let _probe = start_probe(&server, folder.path(), &[]).await;
    let acknowledged = || -> BTreeSet<String> {
        let acks = receiver.spans().into_iter().filter(|span| span.name == "ack");
        acks.map(|span| span.trace).collect()
    };
    // The probe posts every few seconds, and a machine with other tests takes its time.
    let late = Duration::from_secs(50);
    wait::until_true(late, "two acknowledgements of the probe", async || acknowledged().len() >= 2).await;
    let trace = acknowledged().into_iter().next().unwrap();
    let found = receiver.trace(&trace, &["ack", "write", "process room", "publish room", POST]).await;
    assert_eq!(found["ack"].parent, found["write"].id);
}

#[tokio::test]
async fn sampling_changes_while_running_and_without_it_nothing_is_traced() {
    let receiver = OtlpReceiver::start().await;
    let none =
        ["TRACE__SAMPLING__UPLINK_CHAT", "TRACE__SAMPLING__UPLINK_GIFT"].map(|name| (name, "0".into()));
    let server = Server::start(BINARY, settings(&receiver, &none)).await;
    let token = server.token("u1", "demo", "viewer").await;
    let admin = server.token("a1", "*", "admin").await;
    let (answer, response) = post_traced(&server, &token, gift("g-0")).await;
    assert_eq!((&answer["outcome"], &answer["trace"], response), (&json!("broadcast"), &Value::Null, None));
    let changed = server.admin("PUT", "/trace", &admin, &json!({ "watch_users": ["u1"] })).await;
    assert_eq!((changed.status, &changed.body["changed"]["watch_users"]), (200, &json!(["u1"])));
    let mut n = 0;
    wait::until_true(Duration::from_secs(1), "a traced post of a watched user", async || {
        n += 1;
        server.post(MESSAGES, &token, chat(&format!("c{n}"), &format!("hello {n}"))).await.body["trace"]
            .is_string()
    })
    .await;
    let shown = server.admin("GET", "/trace", &admin, &json!({})).await.body;
    assert_eq!((&shown["sampling"]["watch_users"], &shown["exporting"]), (&json!(["u1"]), &json!(true)));
    let refused = server.admin("PUT", "/trace", &admin, &json!({ "uplink_chat": 2 })).await;
    assert_eq!((refused.status, refused.code()), (400, "bad_request"), "{refused:?}");
    server.admin("PUT", "/trace", &admin, &json!({ "watch_users": null })).await;
    wait::until_true(Duration::from_secs(1), "no trace after the change back", async || {
        n += 1;
        server.post(MESSAGES, &token, chat(&format!("c{n}"), &format!("hello {n}"))).await.body["trace"]
            .is_null()
    })
    .await;
    let users = || -> BTreeSet<String> {
        receiver.spans().iter().filter_map(|span| span.attributes.get("barrage.user").cloned()).collect()
    };
    // Spans leave in batches.
    wait::until_true(Duration::from_secs(10), "spans of the watched user", async || !users().is_empty())
        .await;
    assert_eq!(users(), BTreeSet::from(["u1".to_owned()]));
}
