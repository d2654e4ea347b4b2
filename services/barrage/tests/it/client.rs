//! The Rust client against a real server: every transport, an outage, refusals.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_client::{Event, SendError, Sender, SenderConfig, Viewer, ViewerConfig};
use barrage_protocol::Class;
use barrage_protocol::entry::Transport;
use barrage_protocol::post::{Gift, Outcome, Post};
use barrage_testkit::{Server, ServerOptions, wait};

use crate::support::{BINARY, start};

/// Longest wait for an event.
const EVENT_MAX: Duration = Duration::from_secs(30);

fn gift(id: &str) -> Post {
    let gift = Gift { name: "rose".into(), count: 1, price_minor: 100, combo: None };
    Post::Gift { id: id.parse().unwrap(), gift }
}

fn config(server: &Server) -> ViewerConfig {
    ViewerConfig::new(format!("http://{}", server.public), "demo".parse().unwrap())
}

async fn next(viewer: &mut Viewer) -> Event {
    wait::within(EVENT_MAX, "an event", viewer.next()).await.expect("the viewer has ended")
}

/// Waits for the hello and returns its transport.
async fn hello(viewer: &mut Viewer) -> Transport {
    loop {
        if let Event::Hello(_, transport) = next(viewer).await {
            return transport;
        }
    }
}

/// Returns the ids of gifts in the order of arrival, up to and with the id `last`.
async fn gifts_until(viewer: &mut Viewer, last: &str) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        match next(viewer).await {
            Event::Message(message) if message.class == Class::Gift => {
                let body: serde_json::Value = serde_json::from_str(message.body.get()).unwrap();
                ids.push(body["id"].as_str().unwrap().to_owned());
                if ids.last().unwrap() == last {
                    return ids;
                }
            }
            Event::Lost => panic!("a gap was not repaired"),
            Event::Closed { code, message, .. } => panic!("closed: {code:?} {message}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_transport_delivers_each_gift_once_in_order() {
    let two_ports = vec!["--listen".into(), "127.0.0.1:0".into()];
    let server =
        Server::start(BINARY, ServerOptions { arguments: two_ports, ..ServerOptions::default() }).await;
    let token = server.token("u1", "demo", "viewer").await;
    let sender = Sender::new(SenderConfig::new(format!("http://{}", server.public), token)).unwrap();
    let room = "demo".parse().unwrap();
    let mut viewers = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        for deflate in [true, false] {
            let config = ViewerConfig { transports: vec![transport], deflate, ..config(&server) };
            let mut viewer = Viewer::start(config);
            assert_eq!(hello(&mut viewer).await, transport);
            viewers.push(viewer);
        }
    }
    let ids: Vec<_> = (0..50).map(|n| format!("g{n}")).collect();
    for id in &ids {
        let answer = sender.send(&room, &gift(id)).await.unwrap();
        assert_eq!(answer.outcome, Outcome::Broadcast);
    }
    assert_eq!(sender.send(&room, &gift("g0")).await.unwrap().outcome, Outcome::Duplicate);
    for mut viewer in viewers {
        assert_eq!(gifts_until(&mut viewer, "g49").await, ids);
    }
    let races = server.metric("barrage_entry_race_seconds_count").await;
    assert!(races >= 2.0, "a client with two endpoints races and reports: {races}");
}

/// The server is killed and restarted on the same ports.
#[tokio::test]
async fn clients_get_each_accepted_gift_once_over_kills_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions { data_dir: Some(dir.path().join("data")), ..ServerOptions::default() };
    let mut server = Server::start(BINARY, options.clone()).await;
    let again = ServerOptions { addresses: Some((server.public, server.admin)), ..options };
    let token = server.token("u1", "demo", "viewer").await;
    let uplink =
        SenderConfig { deadline: EVENT_MAX, ..SenderConfig::new(format!("http://{}", server.public), token) };
    let sender = Sender::new(uplink).unwrap();
    let mut viewers = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        let mut viewer = Viewer::start(ViewerConfig { transports: vec![transport], ..config(&server) });
        hello(&mut viewer).await;
        viewers.push(viewer);
    }
    let sending = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for n in 0..200 {
            let id = format!("g{n}");
            sender.send(&"demo".parse().unwrap(), &gift(&id)).await.unwrap();
            accepted.push(id);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        accepted
    });
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.kill().await;
        server = Server::start(BINARY, again.clone()).await;
    }
    let accepted = sending.await.unwrap();
    for mut viewer in viewers {
        let seen = gifts_until(&mut viewer, "g199").await;
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "a gift was shown twice");
        assert_eq!(seen, accepted);
    }
}

#[tokio::test]
async fn final_refusal_ends_the_viewer_and_fails_the_send_with_its_code() {
    let server = start().await;
    let wrong = server.token("u1", "elsewhere", "viewer").await;
    let mut viewer = Viewer::start(ViewerConfig { token: Some(wrong.clone()), ..config(&server) });
    let Event::Closed { code, .. } = next(&mut viewer).await else { panic!("not closed") };
    assert_eq!(code, Some(4012));
    assert!(viewer.next().await.is_none());
    let sender = Sender::new(SenderConfig::new(format!("http://{}", server.public), wrong)).unwrap();
    let Err(SendError::Refused(refusal)) = sender.send(&"demo".parse().unwrap(), &gift("x")).await else {
        panic!("not refused")
    };
    assert_eq!(refusal.code.label(), "wrong_room");
}

#[tokio::test]
async fn custom_event_is_an_event_of_its_own_on_each_transport() {
    let server = start().await;
    let mut viewers = Vec::new();
    for transport in [Transport::Ws, Transport::Sse, Transport::Poll] {
        let config = ViewerConfig { transports: vec![transport], ..config(&server) };
        let mut viewer = Viewer::start(config);
        assert_eq!(hello(&mut viewer).await, transport);
        viewers.push(viewer);
    }
    let admin = server.token("boss", "demo", "admin").await;
    let data = serde_json::json!({ "item": "42", "text": "a\nb" });
    for (id, class) in [("e1", "chat"), ("e2", "gift"), ("e3", "signal")] {
        let event = serde_json::json!({ "id": id, "event": "shop.card", "class": class, "data": data });
        let answer = server.admin("POST", "/rooms/demo/events", &admin, &event).await;
        assert_eq!((answer.status, &answer.body["id"]), (200, &id.into()), "{answer:?}");
    }
    for viewer in &mut viewers {
        let mut ids = Vec::new();
        while ids.len() < 3 {
            match next(viewer).await {
                Event::Custom { event, sequence } => {
                    assert!(sequence.0 > 0 && event.event.as_str() == "shop.card" && event.data == data);
                    ids.push(event.id.to_string());
                }
                Event::Message(message) => panic!("{}", message.body),
                _ => {}
            }
        }
        assert_eq!(ids, ["e1", "e2", "e3"]);
    }
}
