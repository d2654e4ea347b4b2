//! The viewer against a server that does what the test says.

use std::time::Duration;

use crate::fake::{Fake, Ws, batch, endpoint, hello, hello_of, next, repair, soon, until, written};
use barrage_client::{Event, HttpPool, Viewer, ViewerConfig, Visibility};
use barrage_protocol::batch::{LeftOut, Pulse};
use barrage_protocol::code::{Advice, Refusal};
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, RepairOutcome, ServerFrame};
use barrage_protocol::{BatchWriter, Code, Sequence};
use barrage_ws::Opcode;
use bytes::Bytes;

#[tokio::test]
async fn events_arrive_in_the_order_of_the_stream() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(ViewerConfig { token: Some("t".into()), ..fake.config() });
    let mut socket = fake.socket().await;
    let join = ClientFrame::Join { token: Some("t".into()), after: None, client: None };
    assert_eq!(socket.next().await, join);
    socket.send(&hello(5, false, 60_000)).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
    socket.send(&batch(5, 7)).await;
    // Twice, and with something to deflate.
    socket.send_deflated(&batch(5, 7)).await;
    socket
        .send_deflated(&written(&BatchWriter {
            previous: Sequence(7),
            sequence: Sequence(90),
            left_out: LeftOut { chat: 2 },
            pulse: Pulse { likes: 3, online: Some(9), ..Pulse::default() },
            repair: None,
        }))
        .await;
    assert_eq!(until(&mut viewer, 7).await, [6, 7]);
    assert!(matches!(next(&mut viewer).await, Event::LeftOut { chat: 2 }));
    assert_eq!(until(&mut viewer, 90).await, (8..=90).collect::<Vec<_>>());
    assert!(matches!(next(&mut viewer).await, Event::Pulse { likes: 3, online: Some(9), .. }));
    for n in [11, 12, 11] {
        socket.send(&format!(r#"{{"type":"notice","sequence":{n},"body":{{"n":{n}}}}}"#)).await;
    }
    for n in [11, 12] {
        let Event::Notice(body) = next(&mut viewer).await else { panic!("not a notice") };
        assert_eq!(body.get(), format!(r#"{{"n":{n}}}"#));
    }
    // The third notice is not shown, but acknowledged: the server asked again.
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 3 {
        let ClientFrame::Ack { sequences } = socket.next().await else { panic!("not an ack") };
        acknowledged.extend(sequences.into_iter().map(|sequence| sequence.0));
    }
    assert_eq!(acknowledged, [11, 12, 11]);
    socket.write(Opcode::Ping, b"are you there".to_vec()).await;
    assert_eq!(socket.raw().await, (Opcode::Pong, b"are you there".to_vec()));
    drop(viewer);
    socket.left().await;
}

#[tokio::test]
async fn gap_is_repaired_before_newer_messages_are_shown() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(fake.config());
    let (mut socket, _) = fake.joined(10).await;
    socket.send(&batch(13, 15)).await;
    socket.send(&batch(15, 16)).await;
    let ask = ClientFrame::Repair { after: Sequence(10), before: Sequence(14) };
    assert_eq!(socket.next().await, ask);
    socket.send(&repair(10, 13, RepairOutcome::Complete)).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
    let repaired = next(&mut viewer).await;
    assert!(matches!(repaired, Event::Repaired { outcome: RepairOutcome::Complete, skipped: 0 }));
    assert_eq!(until(&mut viewer, 16).await, (11..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn visibility_is_sent_to_servers_that_take_it_and_again_behind_each_hello() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(fake.config());
    let hidden = ClientFrame::Visibility { hidden: true };
    let taking = hello(5, false, 60_000).replacen('{', r#"{"visibility":true,"#, 1);
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(&taking).await;
    hello_of(&mut viewer).await;
    viewer.set_visibility(Visibility::Hidden);
    assert_eq!(socket.next().await, hidden);
    viewer.set_visibility(Visibility::Shown);
    assert_eq!(socket.next().await, ClientFrame::Visibility { hidden: false });
    viewer.set_visibility(Visibility::Hidden);
    assert_eq!(socket.next().await, hidden);
    socket.close(4200, "move").await;
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(&taking).await;
    assert_eq!(socket.next().await, hidden, "a connection begins as shown");
    socket.close(4200, "move").await;
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(&hello(5, false, 60_000)).await;
    socket.send(&batch(7, 8)).await;
    let gap = ClientFrame::Repair { after: Sequence(5), before: Sequence(8) };
    assert_eq!(socket.next().await, gap, "a server of an earlier release refuses the frame");
}

#[tokio::test]
async fn broken_connection_resumes_at_its_last_sequence() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(fake.config());
    let (mut socket, _) = fake.joined(0).await;
    hello_of(&mut viewer).await;
    socket.send(&batch(0, 3)).await;
    assert_eq!(until(&mut viewer, 3).await, [1, 2, 3]);
    drop(socket);
    let (mut socket, after) = fake.joined(6).await;
    assert_eq!(after, Some(Sequence(3)));
    // The resume overlaps with what comes live.
    socket.send(&repair(3, 6, RepairOutcome::Partial)).await;
    socket.send(&batch(5, 8)).await;
    assert!(matches!(next(&mut viewer).await, Event::Reconnecting { code: None, .. }));
    assert_eq!(until(&mut viewer, 8).await, [4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn refused_websocket_falls_back_to_an_event_stream() {
    let mut fake = Fake::start(Ws::Refused).await;
    let mut viewer = Viewer::start(fake.config());
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", ""));
    let events = asked.stream();
    let send = async |json: String| {
        // Cut anywhere.
        let text = format!("id: 1\nevent: x\ndata: {json}\n\n: keep\n\n");
        let (a, b) = text.split_at(text.len() / 2);
        events.send(Bytes::from(a.to_owned())).await.unwrap();
        events.send(Bytes::from(b.to_owned())).await.unwrap();
    };
    send(hello(4, false, 60_000)).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
    send(batch(4, 5)).await;
    send(batch(7, 8)).await;
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/poll", "wait_secs=0&after=5"));
    asked.json(repair(5, 8, RepairOutcome::Complete));
    assert_eq!(until(&mut viewer, 8).await, [5, 6, 7, 8]);
    // The stream ends: the next one resumes.
    drop(events);
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", "after=8"));
}

#[tokio::test]
async fn refused_event_stream_falls_back_to_polls() {
    let mut fake = Fake::start(Ws::Refused).await;
    let mut viewer = Viewer::start(fake.config());
    fake.request().await.status(502);
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/poll", "wait_secs=0"));
    asked.json(batch(3, 3));
    assert_eq!(hello_of(&mut viewer).await, Transport::Poll);
    for (from, to) in [(3, 5), (5, 6)] {
        let asked = fake.request().await;
        assert_eq!(asked.query, format!("wait_secs=20&after={from}"));
        asked.json(repair(from, to, RepairOutcome::Complete));
    }
    assert_eq!(until(&mut viewer, 6).await, [4, 5, 6]);
}

#[tokio::test]
async fn move_opens_the_next_connection_before_it_closes_the_old_one() {
    let mut old = Fake::start(Ws::Taken).await;
    let mut new = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(old.config());
    let (mut socket, _) = old.joined(0).await;
    socket.send(&batch(0, 1)).await;
    hello_of(&mut viewer).await;
    assert_eq!(until(&mut viewer, 1).await, [1]);
    let to = serde_json::to_string(&endpoint(Transport::Ws, new.address)).unwrap();
    let go = format!(
        r#"{{"type":"reconnect","after_ms":1,"deadline_ms":9000,"endpoints":[{to}],"message":"go"}}"#
    );
    socket.send(&go).await;
    let mut next_socket = new.socket().await;
    let ClientFrame::Join { after, .. } = next_socket.next().await else { panic!("not a join") };
    assert_eq!(after, Some(Sequence(1)));
    // The old one serves as long as the new one has not said hello.
    socket.send(&batch(1, 2)).await;
    assert_eq!(until(&mut viewer, 2).await, [2]);
    next_socket.send(&hello(2, true, 60_000)).await;
    next_socket.send(&repair(1, 2, RepairOutcome::Complete)).await;
    next_socket.send(&batch(2, 3)).await;
    assert_eq!(until(&mut viewer, 3).await, [3]);
    socket.left().await;
}

#[tokio::test]
async fn early_close_of_a_draining_gateway_still_leads_to_the_named_endpoint() {
    let mut old = Fake::start(Ws::Taken).await;
    let mut new = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(old.config());
    let (mut socket, _) = old.joined(7).await;
    let to = serde_json::to_string(&endpoint(Transport::Ws, new.address)).unwrap();
    let go = format!(
        r#"{{"type":"reconnect","after_ms":600000,"deadline_ms":9000,"endpoints":[{to}],"message":"go"}}"#
    );
    socket.send(&go).await;
    socket.close(Code::Draining.close(), "bye").await;
    let (_socket, after) = new.joined(7).await;
    assert_eq!(after, Some(Sequence(7)));
    hello_of(&mut viewer).await;
    assert!(matches!(next(&mut viewer).await, Event::Reconnecting { code: Some(4300), .. }));
}

/// The heartbeat is answered by nobody: the viewer must not wait for TCP to notice.
#[tokio::test]
async fn silent_server_is_abandoned_after_its_heartbeat() {
    let mut fake = Fake::start(Ws::Taken).await;
    let _viewer = Viewer::start(fake.config());
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(&hello(3, false, 100)).await;
    assert_eq!(socket.next().await, ClientFrame::Ping { id: 1 });
    let (_again, after) = fake.joined(3).await;
    assert_eq!(after, Some(Sequence(3)));
}

#[tokio::test]
async fn permanent_close_code_ends_the_viewer_with_its_code() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(fake.config());
    let (mut socket, _) = fake.joined(0).await;
    socket.close(Code::Kicked.close(), "a moderator removed you").await;
    hello_of(&mut viewer).await;
    let Event::Closed { code, advice, message } = next(&mut viewer).await else { panic!("not closed") };
    assert_eq!((code, advice, message.as_str()), (Some(4016), Advice::Never, "a moderator removed you"));
    assert!(soon(viewer.next()).await.is_none());

    let mut viewer = Viewer::start(fake.config());
    let mut socket = fake.socket().await;
    let refusal = Refusal::new(Code::TokenExpired, "fetch a new token");
    socket.send(&serde_json::to_string(&barrage_protocol::frame::ServerFrame::Error(refusal)).unwrap()).await;
    assert!(matches!(next(&mut viewer).await, Event::Closed { code: Some(4011), .. }));
}

#[tokio::test]
async fn race_times_of_gateways_are_reported_to_entry() {
    let other = Fake::start(Ws::Taken).await;
    let mut others = vec![other];
    let fake = Fake::start_beside(Ws::Taken, &[others[0].address]).await;
    let mut viewer = Viewer::start_with(fake.config(), &HttpPool::new());
    others.push(fake);
    let (mut a, mut b) = (others.remove(0), others.remove(0));
    // Either may win.
    let _socket = tokio::select! {
        joined = a.joined(0) => joined,
        joined = b.joined(0) => joined,
    };
    hello_of(&mut viewer).await;
    let reported = async {
        while b.reports().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(reported).await;
    let gateways: Vec<_> = b.reports()[0].results.iter().map(|r| r.elapsed_ms.is_some()).collect();
    assert_eq!(gateways, [true, true]);
}

/// A gateway that waits for its bus takes the connection and says nothing.
#[tokio::test]
async fn next_gateway_is_tried_beside_one_that_does_not_answer() {
    let mut other = Fake::start(Ws::Taken).await;
    let mut silent = Fake::start_beside(Ws::Taken, &[other.address]).await;
    let connect_timeout = Duration::from_secs(600);
    let mut viewer = Viewer::start(ViewerConfig { race: false, connect_timeout, ..silent.config() });
    let mut socket = silent.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    let _taken = other.joined(4).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
    socket.left().await;
}

/// A gateway that has just started does not know the room yet.
#[tokio::test]
async fn room_that_was_joined_once_is_retried_when_it_is_not_found() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(fake.config());
    let (socket, _) = fake.joined(4).await;
    hello_of(&mut viewer).await;
    drop(socket);
    for _ in 0..5 {
        assert!(matches!(next(&mut viewer).await, Event::Reconnecting { .. }));
        let mut socket = fake.socket().await;
        assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
        socket.send(&refused(Code::UnknownRoom)).await;
    }
    assert!(matches!(next(&mut viewer).await, Event::Reconnecting { .. }));
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
    socket.send(&refused(Code::UnknownRoom)).await;
    assert!(matches!(next(&mut viewer).await, Event::Closed { advice: Advice::Never, .. }));
}

fn refused(code: Code) -> String {
    let refusal = ServerFrame::Error(Refusal::new(code, "no"));
    serde_json::to_string(&refusal).unwrap()
}

/// Entry is away, and the list that the client was built with says where to go.
#[tokio::test]
async fn embedded_list_replaces_an_entry_that_does_not_answer() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut fallback = fake.entry_answer();
    for endpoint in &mut fallback.downlinks {
        endpoint.url = endpoint.url.replace("demo", "{room}");
    }
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let entry_url = format!("http://{nobody}");
    let mut viewer = Viewer::start(ViewerConfig { entry_url, fallback: Some(fallback), ..fake.config() });
    let _socket = fake.joined(0).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
}

#[tokio::test]
async fn client_waits_for_its_ticket_and_reports_the_wait() {
    let mut fake = Fake::start(Ws::Taken).await;
    fake.ticket("a.b-c_d", 300);
    let begun = std::time::Instant::now();
    let mut viewer = Viewer::start(fake.config());
    assert!(matches!(next(&mut viewer).await, Event::Waiting { ms: 300 }));
    let (mut socket, _) = fake.joined(0).await;
    assert!(begun.elapsed().as_millis() >= 300);
    assert_eq!(fake.ws_queries(), ["ticket=a.b-c_d"]);
    hello_of(&mut viewer).await;
    // The move to another gateway waits too, and the user is told nothing of it.
    fake.ticket("second", 100);
    socket.send(r#"{"type":"reconnect","after_ms":0,"deadline_ms":9000,"message":"go"}"#).await;
    let mut next_socket = fake.socket().await;
    assert_eq!(fake.ws_queries(), ["ticket=a.b-c_d", "ticket=second"]);
    assert!(matches!(next_socket.next().await, ClientFrame::Join { after: Some(Sequence(0)), .. }));
    next_socket.send(&hello(0, true, 60_000)).await;
    hello_of(&mut viewer).await;
    socket.left().await;
}

#[tokio::test]
async fn early_ticket_is_kept_and_expired_ticket_is_exchanged() {
    let mut fake = Fake::start(Ws::Refused).await;
    fake.ticket("first", 1);
    let transports = vec![Transport::Sse, Transport::Poll];
    let mut viewer = Viewer::start(ViewerConfig { transports, ..fake.config() });
    assert!(matches!(next(&mut viewer).await, Event::Waiting { ms: 1 }));
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", "ticket=first"));
    asked.refuse(Refusal::new(Code::TooEarly, "wait").retry_after_ms(50));
    let asked = fake.request().await;
    assert_eq!(asked.query, "ticket=first", "it keeps its place");
    fake.ticket("second", 2);
    // No other endpoint would say otherwise: none is tried.
    asked.refuse(Refusal::new(Code::TicketExpired, "too late").retry_after_ms(50));
    assert!(matches!(next(&mut viewer).await, Event::Reconnecting { code: Some(4108), .. }));
    assert!(matches!(next(&mut viewer).await, Event::Waiting { ms: 2 }));
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", "ticket=second"));
    let events = asked.stream();
    let first = format!("id: 1\nevent: hello\ndata: {}\n\n", hello(4, false, 60_000));
    events.send(Bytes::from(first)).await.unwrap();
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
}

#[tokio::test]
async fn refused_move_is_retried_while_the_old_connection_serves() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut refusing = Fake::start(Ws::Refused).await;
    let transports = vec![Transport::Ws, Transport::Sse];
    let mut viewer = Viewer::start(ViewerConfig { transports, race: false, ..fake.config() });
    let (mut socket, _) = fake.joined(0).await;
    hello_of(&mut viewer).await;
    // Entry names the full one alone, for a while.
    let open = fake.entry_answer();
    fake.entry_says(refusing.entry_answer());
    socket.send(r#"{"type":"reconnect","after_ms":0,"deadline_ms":9000,"message":"go"}"#).await;
    refusing.request().await.refuse(Refusal::new(Code::Overloaded, "full").retry_after_ms(10));
    fake.entry_says(open);
    socket.send(&batch(0, 1)).await;
    assert_eq!(until(&mut viewer, 1).await, [1]);
    let mut next_socket = fake.socket().await;
    assert!(matches!(next_socket.next().await, ClientFrame::Join { after: Some(Sequence(1)), .. }));
    next_socket.send(&hello(1, true, 60_000)).await;
    hello_of(&mut viewer).await;
    socket.left().await;
}
