//! Evictions and notices: the same on every transport.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::fleet::{self, Fleet, LEEWAY_SECS, Member, until};
use crate::raw::RawHttp;
use barrage_bus::{Change, Restriction, RestrictionKind, RoomSettings};
use barrage_client::{Event, Viewer};
use barrage_gateway::GatewayConfig;
use barrage_protocol::entry;
use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket};
use barrage_token::Role;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cause {
    Kick,
    Close,
    Expiry,
    Notice,
    Revocation,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Transport {
    WebSocket,
    EventStream,
    Poll,
}

enum Connection {
    WebSocket(Box<RawSocket>),
    EventStream(RawHttp),
    Poll(RawHttp),
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Connection {
    /// Opens a connection; returns once it has its hello, or its poll waits.
    async fn open(member: &Member, transport: Transport, room: &str, token: &str) -> Connection {
        let (address, before) = (member.address, member.viewers());
        match transport {
            Transport::WebSocket => {
                let mut socket = RawSocket::join(address, room, Some(token), None).await;
                let hello = socket.next().await;
                assert!(matches!(hello, Frame::Protocol(ServerFrame::Hello(_), _)), "{hello:?}");
                Connection::WebSocket(Box::new(socket))
            }
            Transport::EventStream => {
                let mut stream = RawHttp::get(address, &format!("/v1/rooms/{room}/sse"), Some(token)).await;
                stream.until("event: hello").await;
                Connection::EventStream(stream)
            }
            Transport::Poll => {
                let path = format!("/v1/rooms/{room}/poll?after=0&wait_secs=30&ack=");
                let poll = RawHttp::get(address, &path, Some(token)).await;
                until(|| member.viewers() > before).await;
                Connection::Poll(poll)
            }
        }
    }

    /// Reads to the end; returns the code with which the connection ended.
    async fn end(&mut self) -> String {
        match self {
            Connection::WebSocket(socket) => socket.until_closed().await.0.unwrap(),
            Connection::EventStream(stream) => {
                stream.until("event: error").await;
                stream.read_to_end().await;
                let last = stream.text.rsplit("event: ").next().unwrap();
                assert!(last.starts_with("error"), "nothing follows the error: {last}");
                assert!(stream.text.ends_with("0\r\n\r\n"), "the stream ends in order");
                code(last)
            }
            Connection::Poll(poll) => {
                poll.read_to_end().await;
                code(&poll.text)
            }
        }
    }

    /// Waits for the notice.
    async fn noticed(&mut self) {
        match self {
            Connection::WebSocket(socket) => loop {
                match socket.next().await {
                    Frame::Protocol(ServerFrame::Notice(_), json) if json.contains("mute") => return,
                    Frame::Protocol(..) => {}
                    other => panic!("no notice, but {other:?}"),
                }
            },
            Connection::EventStream(stream) => {
                stream.until("event: notice").await;
                stream.until("mute").await;
            }
            Connection::Poll(poll) => {
                poll.read_to_end().await;
                let answer: serde_json::Value = serde_json::from_str(poll.body()).unwrap();
                assert_eq!(answer["notices"][0]["body"]["signal"], "mute", "{answer}");
                assert_eq!(answer["repair"]["outcome"], "complete", "{answer}");
            }
        }
    }
}

fn code(text: &str) -> String {
    let (_, rest) = text.split_once("\"code\":\"").unwrap_or_else(|| panic!("no code in {text}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_eviction_and_notice_reaches_every_transport() {
    let fleet = Fleet::new().await;
    let member = fleet.start(GatewayConfig::default()).await;
    let transports = [Transport::WebSocket, Transport::EventStream, Transport::Poll];
    let causes = [Cause::Kick, Cause::Close, Cause::Expiry, Cause::Notice, Cause::Revocation];
    for (number, cause) in causes.into_iter().enumerate() {
        for transport in transports {
            let case = format!("{cause:?} on {transport:?}");
            // The connections of the case before have left.
            until(|| member.viewers() == 0).await;
            let (room, user) = (format!("{cause:?}-{transport:?}"), format!("user-{number}-{transport:?}"));
            let settings = RoomSettings::default();
            fleet.bus.change(Change::Room(room.parse().unwrap(), settings.clone())).await.unwrap();
            let ends_at = if cause == Cause::Expiry { unix_secs() + 2 } else { 4_000_000_000 };
            let token = fleet.token_of(&user, Role::Viewer, ends_at);
            let mut connection = Connection::open(&member, transport, &room, &token).await;
            let path = format!("/v1/rooms/{room}/sse");
            let mut bystander = RawHttp::get(member.address, &path, None).await;
            bystander.until("event: hello").await;
            let began = Instant::now();
            let expected = match cause {
                Cause::Kick => {
                    let until_ms = (unix_secs() + 600) * 1_000;
                    let restriction = Restriction { kind: RestrictionKind::Kick, until_ms };
                    let (room, user) = (room.parse().unwrap(), user.parse().unwrap());
                    fleet.bus.change(Change::Restrict { room, user, restriction }).await.unwrap();
                    "kicked"
                }
                Cause::Close => {
                    let settings = RoomSettings { closed: true, ..settings };
                    fleet.bus.change(Change::Room(room.parse().unwrap(), settings)).await.unwrap();
                    "room_closed"
                }
                Cause::Expiry => "token_expired",
                Cause::Revocation => {
                    let user = Some(user.parse().unwrap());
                    let change = Change::Revoke { user, before_secs: unix_secs() + 1 };
                    fleet.bus.change(change).await.unwrap();
                    "unauthorized"
                }
                Cause::Notice => {
                    fleet.notice(&user, "mute").await;
                    connection.noticed().await;
                    continue;
                }
            };
            assert_eq!(connection.end().await, expected, "{case}");
            if cause == Cause::Expiry {
                assert!(unix_secs() > ends_at + LEEWAY_SECS, "{case}: not before the leeway is over");
                assert!(unix_secs() <= ends_at + LEEWAY_SECS + 8, "{case}");
            } else {
                assert!(began.elapsed() < Duration::from_secs(8), "{case}");
            }
            if cause == Cause::Close {
                bystander.until("room_closed").await;
            } else {
                assert!(!bystander.text.contains("event: error"), "{case}: others stay");
            }
        }
    }
}

async fn next_of(viewer: &mut Viewer, is_it: impl Fn(&Event) -> bool) -> Event {
    let waiting = async {
        loop {
            let event = viewer.next().await.expect("the viewer ended");
            if is_it(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), waiting).await.expect("the event did not come")
}

/// On all transports the client library sees the notice once, and then the kick as a final end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_a_notice_once_and_ends_on_a_kick_on_every_transport() {
    let fleet = Fleet::new().await;
    let _member = fleet.start(GatewayConfig::default()).await;
    for transport in [entry::Transport::Ws, entry::Transport::Sse, entry::Transport::Poll] {
        let user = format!("{transport:?}");
        let token = fleet.token_of(&user, Role::Viewer, 4_000_000_000);
        let mut viewer = fleet.viewer_with(transport, token);
        next_of(&mut viewer, |event| matches!(event, Event::Hello(..))).await;
        fleet.notice(&user, "one").await;
        let notice = |event: &Event| matches!(event, Event::Notice(_));
        let Event::Notice(body) = next_of(&mut viewer, notice).await else { panic!() };
        assert!(body.get().contains("one"), "{transport:?}");
        fleet.notice(&user, "two").await;
        let Event::Notice(body) = next_of(&mut viewer, notice).await else { panic!() };
        assert!(body.get().contains("two"), "{transport:?}: each once");
        let restriction = Restriction { kind: RestrictionKind::Kick, until_ms: (unix_secs() + 600) * 1_000 };
        let change = Change::Restrict { room: fleet::room(), user: user.parse().unwrap(), restriction };
        fleet.bus.change(change).await.unwrap();
        let closed = next_of(&mut viewer, |event| matches!(event, Event::Closed { .. })).await;
        assert!(matches!(closed, Event::Closed { code: Some(4016), .. }), "{transport:?}: {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_of_too_many_connections_of_one_user_is_closed() {
    let fleet = Fleet::new().await;
    let config = GatewayConfig { user_connections_max: 2, ..GatewayConfig::default() };
    let member = fleet.start(config).await;
    let token = fleet.token_of("u", Role::Viewer, 4_000_000_000);
    let open = |transport| Connection::open(&member, transport, "demo", &token);
    let mut first = open(Transport::WebSocket).await;
    let mut second = open(Transport::EventStream).await;
    let third = open(Transport::WebSocket).await;
    assert_eq!(first.end().await, "too_many_connections");
    let _fourth = open(Transport::EventStream).await;
    assert_eq!(second.end().await, "too_many_connections");
    // A connection that ends by itself frees its place.
    drop(third);
    until(|| member.viewers() == 1).await;
    let _fifth = open(Transport::WebSocket).await;
    until(|| member.viewers() == 2).await;
    // Anonymous viewers are not counted.
    let mut anonymous = Vec::new();
    for _ in 0..4 {
        anonymous.push(RawSocket::joined(member.address, "demo").await);
    }
    assert_eq!(member.viewers(), 6);
}
