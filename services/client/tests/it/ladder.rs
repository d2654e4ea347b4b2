//! The viewer on networks that block transports, pass them again, or change what they carry.

use std::time::Duration;

use crate::fake::{Asked, Fake, Ws, batch, hello, hello_of, next, repair, until};
use barrage_client::{Event, LadderLimits, Network, Viewer, ViewerConfig};
use barrage_protocol::Sequence;
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{ClientFrame, RepairOutcome};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Settings of a viewer that probes soon.
fn config(fake: &Fake) -> ViewerConfig {
    let ladder = LadderLimits { probe_base_ms: 200, probe_max_ms: 400, ..LadderLimits::default() };
    ViewerConfig { ladder, race: false, ..fake.config() }
}

/// An event stream of a gateway.
struct Stream(mpsc::Sender<Bytes>);

impl Stream {
    /// Answers the request for a stream, and says hello at this position.
    async fn open(asked: Asked, sequence: u64) -> Stream {
        assert_eq!(asked.path, "/v1/rooms/demo/sse");
        let resumes = asked.query.contains("after");
        let stream = Stream(asked.stream());
        stream.send(&hello(sequence, resumes, 60_000)).await;
        stream
    }

    async fn send(&self, json: &str) {
        self.0.send(Bytes::from(format!("id: 1\nevent: x\ndata: {json}\n\n"))).await.unwrap();
    }
}

#[tokio::test]
async fn viewer_returns_to_websocket_when_the_network_passes_it_and_no_message_is_lost_or_doubled() {
    let mut fake = Fake::start(Ws::Refused).await;
    let mut viewer = Viewer::start(config(&fake));
    let stream = Stream::open(fake.request().await, 4).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
    stream.send(&batch(4, 6)).await;
    assert_eq!(until(&mut viewer, 6).await, [5, 6]);
    fake.handshakes_are(Ws::Taken);
    // The probe resumes at the last message. The stream serves until the WebSocket has said hello.
    let mut socket = fake.socket().await;
    assert!(matches!(socket.next().await, ClientFrame::Join { after: Some(Sequence(6)), .. }));
    stream.send(&batch(6, 8)).await;
    assert_eq!(until(&mut viewer, 8).await, [7, 8]);
    socket.send(&hello(8, true, 60_000)).await;
    socket.send(&repair(6, 8, RepairOutcome::Complete)).await;
    socket.send(&batch(8, 9)).await;
    assert_eq!(hello_of_move(&mut viewer).await, Transport::Ws);
    assert_eq!(until(&mut viewer, 9).await, [9]);
    // The viewer has left the stream.
    stream.0.closed().await;
}

#[tokio::test]
async fn change_of_the_network_makes_the_viewer_try_the_best_transport_at_once() {
    let mut fake = Fake::start(Ws::Refused).await;
    // The first probe would come after half a minute.
    let ladder = LadderLimits { probe_base_ms: 60_000, ..LadderLimits::default() };
    let mut viewer = Viewer::start(ViewerConfig { ladder, ..config(&fake) });
    let _stream = Stream::open(fake.request().await, 4).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
    fake.handshakes_are(Ws::Taken);
    viewer.network_changed(Network::default());
    let (_socket, after) = fake.joined(4).await;
    assert_eq!(after, Some(Sequence(4)));
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
}

/// Waits for the hello of a connection that replaces another one, without a pause between.
async fn hello_of_move(viewer: &mut Viewer) -> Transport {
    match next(viewer).await {
        Event::Hello(_, transport) => transport,
        other => panic!("not a hello: {other:?}"),
    }
}

#[tokio::test]
async fn blocked_probe_leaves_the_stream_alone_and_is_repeated_later() {
    let mut fake = Fake::start(Ws::Refused).await;
    let mut viewer = Viewer::start(config(&fake));
    let stream = Stream::open(fake.request().await, 0).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Sse);
    let probes = async {
        while fake.ws_queries().len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    crate::fake::soon(probes).await;
    stream.send(&batch(0, 2)).await;
    assert_eq!(until(&mut viewer, 2).await, [1, 2]);
}

#[tokio::test]
async fn websocket_that_is_cut_again_and_again_is_left_for_the_event_stream() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(config(&fake));
    for last in 1..=3 {
        let (mut socket, _) = fake.joined(last - 1).await;
        socket.send(&batch(last - 1, last)).await;
        assert_eq!(until(&mut viewer, last).await, [last]);
        drop(socket);
    }
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", "after=3"));
}

#[tokio::test]
async fn server_that_ends_connections_with_a_reason_is_not_taken_for_a_bad_network() {
    let mut fake = Fake::start(Ws::Taken).await;
    let mut viewer = Viewer::start(config(&fake));
    for _ in 0..5 {
        let (mut socket, _) = fake.joined(0).await;
        hello_of(&mut viewer).await;
        socket.close(barrage_protocol::Code::Unavailable.close(), "restart").await;
    }
    let _socket = fake.joined(0).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
}

/// Every transport is answered 200 with a page; then the user has signed in.
#[tokio::test]
async fn captive_portal_is_no_server_of_barrage_and_the_viewer_waits_for_its_end() {
    let mut fake = Fake::start(Ws::Portal).await;
    let mut viewer = Viewer::start(config(&fake));
    for _ in 0..2 {
        for path in ["/v1/rooms/demo/sse", "/v1/rooms/demo/poll"] {
            let asked = fake.request().await;
            assert_eq!(asked.path, path);
            asked.portal();
        }
        assert!(matches!(next(&mut viewer).await, Event::Reconnecting { code: None, .. }));
    }
    fake.handshakes_are(Ws::Taken);
    // A round may have begun before.
    let joined = async {
        loop {
            match fake.socket_or_request().await {
                Ok(mut socket) => {
                    assert!(matches!(socket.next().await, ClientFrame::Join { .. }));
                    socket.send(&hello(0, false, 60_000)).await;
                    return socket;
                }
                Err(asked) => asked.portal(),
            }
        }
    };
    let _socket = crate::fake::soon(joined).await;
    assert_eq!(hello_of(&mut viewer).await, Transport::Ws);
}

#[tokio::test]
async fn duplicated_reordered_and_cut_event_streams_show_each_message_once_in_order() {
    let mut fake = Fake::start(Ws::Refused).await;
    let transports = vec![Transport::Sse, Transport::Poll];
    let mut viewer = Viewer::start(ViewerConfig { transports, ..config(&fake) });
    let stream = Stream::open(fake.request().await, 0).await;
    for (from, to) in [(0, 2), (0, 2), (4, 5), (2, 4), (4, 5), (2, 4), (5, 6)] {
        stream.send(&batch(from, to)).await;
    }
    hello_of(&mut viewer).await;
    assert_eq!(until(&mut viewer, 6).await, [1, 2, 3, 4, 5, 6]);
    // The request for the gap (2, 4] was closed by the late batch; its answer changes nothing.
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/poll", "wait_secs=0&after=2"));
    asked.json(repair(2, 5, RepairOutcome::Complete));
    // The stream ends in the middle of an event: that event was not received.
    let event = format!("id: 1\nevent: x\ndata: {}\n\n", batch(6, 8));
    stream.0.send(Bytes::from(event[..event.len() / 2].to_owned())).await.unwrap();
    drop(stream);
    let asked = fake.request().await;
    assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/v1/rooms/demo/sse", "after=6"));
    let stream = Stream::open(asked, 8).await;
    stream.send(&repair(6, 8, RepairOutcome::Complete)).await;
    assert_eq!(until(&mut viewer, 8).await, [7, 8]);
}
