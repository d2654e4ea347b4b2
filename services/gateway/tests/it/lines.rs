//! Clients that read lines beside clients that do not.

use barrage_bus::Draft;
use barrage_gateway::GatewayConfig;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::{Class, MessageId, UserId};
use barrage_testkit::{Frame, RawSocket};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Member, room};

const WS: &str = "/v1/rooms/demo/ws";
const MESSAGES: u64 = 120;

async fn join(member: &Member, offered: &str, after: Option<u64>) -> RawSocket {
    let headers = [("Sec-WebSocket-Protocol", offered)];
    let mut socket = RawSocket::connect(member.address, WS, &headers).await.unwrap();
    let join = after.map_or(json!({ "type": "join" }), |after| json!({ "type": "join", "after": after }));
    socket.send_text(&join.to_string()).await;
    match socket.next().await {
        Frame::Protocol(ServerFrame::Hello(_), _) => socket,
        other => panic!("expected a hello, got {other:?}"),
    }
}

async fn post(fleet: &Fleet, n: u64) -> u64 {
    let class = if n.is_multiple_of(10) { Class::Gift } else { Class::Chat };
    let (sender, id): (UserId, MessageId) =
        (format!("u{}", n % 7).parse().unwrap(), format!("m-{n}").parse().unwrap());
    let body = json!({ "type": class.label(), "id": id.as_str(), "user": sender.as_str(), "text": format!("hello {n}"),
        "at_ms": 1_700_000_000_000 + n });
    let body = body.to_string().into();
    let (sender, id) = (Some(sender), Some(id));
    let draft = Draft { room: room(), class, sender, id, fingerprint: n, to: None, trace: None, body };
    fleet.bus.publish(vec![draft]).await.unwrap()[0].sequence.0
}

/// Reads messages up to a position; returns the sequences and bodies.
async fn messages(socket: &mut RawSocket, last: u64) -> Vec<(u64, Value)> {
    let mut all = Vec::new();
    loop {
        let batch = socket.next_batch().await;
        all.extend(
            batch.messages.iter().map(|it| (it.sequence.0, serde_json::from_str(it.body.get()).unwrap())),
        );
        if batch.sequence.0 >= last {
            return all;
        }
    }
}

fn without_id(mut messages: Vec<(u64, Value)>) -> Vec<(u64, Value)> {
    let chats = messages.iter_mut().filter(|(_, body)| body["type"] == "chat");
    chats.for_each(|(_, body)| drop(body.as_object_mut().unwrap().remove("id")));
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_lines_gets_what_others_get_in_less_than_half_of_the_bytes() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let mut plain = join(&gateway, "barrage.v1.1.json", None).await;
    let mut deflated = join(&gateway, "barrage.v1.1.deflate", None).await;
    let mut lines = join(&gateway, "barrage.v1.1.lines, barrage.v1.1.deflate", None).await;
    assert_eq!(lines.subprotocol.as_deref(), Some("barrage.v1.1.lines"));
    let mut last = 0;
    for n in 0..MESSAGES {
        last = post(&fleet, n).await;
        if n % 8 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        }
    }
    let wanted = messages(&mut plain, last).await;
    assert_eq!(wanted.len() as u64, MESSAGES);
    assert_eq!(messages(&mut deflated, last).await, wanted);
    let got = messages(&mut lines, last).await;
    assert!(got.iter().all(|(_, body)| body.get("id").is_some() == (body["type"] == "gift")));
    assert_eq!(got, without_id(wanted));
    let (small, large) = (lines.binary_bytes, deflated.binary_bytes);
    assert!(small * 2 < large, "{small} and {large} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_resumes_repairs_and_switches_are_read_rightly() {
    let fleet = Fleet::new().await;
    let gateway = fleet.start(GatewayConfig::default()).await;
    let mut plain = join(&gateway, "barrage.v1.1.json", None).await;
    let mut first = join(&gateway, "barrage.v1.1.lines", None).await;
    for n in 0..40 {
        post(&fleet, n).await;
    }
    let middle = post(&fleet, 40).await;
    let wanted = without_id(messages(&mut plain, middle).await);
    assert_eq!(messages(&mut first, middle).await, wanted);
    // A resume comes as JSON, with the ids.
    let mut resumed = join(&gateway, "barrage.v1.1.lines", Some(0)).await;
    assert_eq!(without_id(messages(&mut resumed, middle).await), wanted);
    let mut newcomer = join(&gateway, "barrage.v1.1.lines", None).await;
    first.send_text(&format!(r#"{{"type":"repair","after":0,"before":{}}}"#, middle + 1)).await;
    let repair = first.next_batch().await;
    assert!(repair.repair.is_some() && repair.messages.len() == 41);
    newcomer.send_text(r#"{"type":"switch","room":"demo"}"#).await;
    assert!(matches!(newcomer.next().await, Frame::Protocol(ServerFrame::Hello(_), _)));
    let mut last = 0;
    for n in 41..MESSAGES {
        last = post(&fleet, n).await;
        if n % 5 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        }
    }
    let wanted = without_id(messages(&mut plain, last).await);
    for socket in [&mut first, &mut resumed, &mut newcomer] {
        assert_eq!(messages(socket, last).await, wanted);
    }
}
