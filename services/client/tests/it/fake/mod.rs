//! A small real server on port 0 whose every answer the test decides: entry and the
//! race answer by themselves, WebSockets and all other requests are handed over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use barrage_client::{Event, Viewer, ViewerConfig};
use barrage_protocol::code::{ErrorBody, Refusal};
use barrage_protocol::deflate::deflate;
use barrage_protocol::entry::{Endpoint, EntryAnswer, EntryTicket, RacePlan, RaceReport, Transport};
use barrage_protocol::frame::{ClientFrame, RepairOutcome};
use barrage_protocol::{BatchItem, BatchWriter, Class, RoomId, Sequence};
use barrage_ws::stream::{Reader, Side, Writer, split};
use barrage_ws::{Opcode, handshake};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// What a captive portal answers to everything.
pub(crate) const PORTAL: &str = "<!doctype html><title>Sign in</title>";
pub(crate) const RACE_BYTES: usize = 2_048;

/// Waits for what must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it did not come in time")
}

/// What becomes of WebSocket handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ws {
    Taken,
    Refused,
    /// Taken by a server of version 1.1; otherwise the server is of version 1.0.
    TakenByNewer,
    /// Answered 200 with a page, as a captive portal does.
    Portal,
}

struct Shared {
    answer: Mutex<EntryAnswer>,
    ws: Mutex<Ws>,
    ws_queries: Mutex<Vec<String>>,
    sockets: mpsc::Sender<Socket>,
    requests: mpsc::Sender<Asked>,
    reports: Mutex<Vec<RaceReport>>,
}

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    sockets: mpsc::Receiver<Socket>,
    requests: mpsc::Receiver<Asked>,
    shared: Arc<Shared>,
}

/// A request that waits for the test's answer.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Bytes,
    reply: oneshot::Sender<Response>,
}

impl Asked {
    pub(crate) fn json(self, json: impl Into<Bytes>) {
        self.respond(([("content-type", "application/json")], json.into()).into_response());
    }

    pub(crate) fn refuse(self, refusal: Refusal) {
        let status = axum::http::StatusCode::from_u16(refusal.code.status()).unwrap();
        self.respond((status, Json(ErrorBody { error: refusal })).into_response());
    }

    pub(crate) fn portal(self) {
        self.respond(axum::response::Html(PORTAL).into_response());
    }

    pub(crate) fn status(self, status: u16) {
        self.respond(axum::http::StatusCode::from_u16(status).unwrap().into_response());
    }

    /// An event stream; it ends when the sender is dropped.
    pub(crate) fn stream(self) -> mpsc::Sender<Bytes> {
        let (events, body) = mpsc::channel::<Bytes>(16);
        let body = futures_util::stream::unfold(body, |mut body| async move {
            let bytes = body.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(bytes), body))
        });
        self.respond(([("content-type", "text/event-stream")], Body::from_stream(body)).into_response());
        events
    }

    fn respond(self, response: Response) {
        drop(self.reply.send(response));
    }
}

impl Fake {
    pub(crate) async fn start(ws: Ws) -> Self {
        Self::start_beside(ws, &[]).await
    }

    /// Its entry names the others' WebSockets too, after its own.
    pub(crate) async fn start_beside(ws: Ws, others: &[SocketAddr]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sockets_in, sockets) = mpsc::channel(16);
        let (requests_in, requests) = mpsc::channel(16);
        let mut downlinks = vec![endpoint(Transport::Ws, address)];
        downlinks.extend(others.iter().map(|other| endpoint(Transport::Ws, *other)));
        downlinks.extend([endpoint(Transport::Sse, address), endpoint(Transport::Poll, address)]);
        let answer = EntryAnswer {
            downlinks,
            uplinks: vec![format!("http://{address}")],
            race: RacePlan { width: 3, timeout_ms: 5_000, bytes: RACE_BYTES as u64 },
            ticket: None,
            ttl_ms: 60_000,
            backoff_base_ms: 1,
            backoff_max_ms: 20,
            region: None,
            carrier: None,
            addresses: std::collections::BTreeMap::new(),
            entries: Vec::new(),
            media: None,
            issued_ms: None,
        };
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            ws: Mutex::new(ws),
            ws_queries: Mutex::default(),
            sockets: sockets_in,
            requests: requests_in,
            reports: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/entry", get(say))
            .route("/v1/entry/fallback", get(say_for_any_room))
            .route("/v1/inbox/ws", get(upgrade))
            .route("/v1/race", get(|| async { vec![7_u8; RACE_BYTES] }))
            .route("/v1/entry/race", post(report))
            .route("/v1/rooms/{room}/ws", get(upgrade))
            .fallback(hand_over)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Fake { address, sockets, requests, shared }
    }

    /// Settings of a viewer that states no facts, so that tests can compare whole queries.
    pub(crate) fn config(&self) -> ViewerConfig {
        let config = ViewerConfig::new(format!("http://{}", self.address), "demo".parse().unwrap());
        ViewerConfig { facts: None, ..config }
    }

    pub(crate) fn entry_answer(&self) -> EntryAnswer {
        self.shared.answer.lock().clone()
    }

    /// Entry says this from now on.
    pub(crate) fn entry_says(&self, answer: EntryAnswer) {
        *self.shared.answer.lock() = answer;
    }

    /// Entry gives this from now on.
    pub(crate) fn ticket(&self, token: &str, wait_ms: u64) {
        let ticket = EntryTicket { token: token.into(), wait_ms };
        self.shared.answer.lock().ticket = Some(ticket);
    }

    /// Handshakes have this end from now on.
    pub(crate) fn handshakes_are(&self, ws: Ws) {
        *self.shared.ws.lock() = ws;
    }

    /// The queries of the WebSocket handshakes so far.
    pub(crate) fn ws_queries(&self) -> Vec<String> {
        self.shared.ws_queries.lock().clone()
    }

    pub(crate) fn reports(&self) -> Vec<RaceReport> {
        self.shared.reports.lock().clone()
    }

    /// Waits for the next WebSocket of the client.
    pub(crate) async fn socket(&mut self) -> Socket {
        soon(self.sockets.recv()).await.unwrap()
    }

    /// The next WebSocket, after its join and a hello at this position.
    pub(crate) async fn joined(&mut self, sequence: u64) -> (Socket, Option<Sequence>) {
        let mut socket = self.socket().await;
        let ClientFrame::Join { after, .. } = socket.next().await else { panic!("no join came first") };
        socket.send(&hello(sequence, after.is_some(), 60_000)).await;
        (socket, after)
    }

    /// The next WebSocket, or the next request that is neither entry's nor a WebSocket's.
    pub(crate) async fn socket_or_request(&mut self) -> Result<Socket, Asked> {
        tokio::select! {
            socket = self.sockets.recv() => Ok(socket.unwrap()),
            asked = self.requests.recv() => Err(asked.unwrap()),
        }
    }

    /// The next request that is neither entry's nor a WebSocket's.
    pub(crate) async fn request(&mut self) -> Asked {
        soon(self.requests.recv()).await.unwrap()
    }
}

pub(crate) fn endpoint(transport: Transport, address: SocketAddr) -> Endpoint {
    let (scheme, resource) = match transport {
        Transport::Ws => ("ws", "ws"),
        Transport::Sse => ("http", "sse"),
        Transport::Poll => ("http", "poll"),
    };
    Endpoint {
        transport,
        url: format!("{scheme}://{address}/v1/rooms/demo/{resource}"),
        gateway: address.to_string(),
    }
}

async fn say(State(shared): State<Arc<Shared>>) -> Json<EntryAnswer> {
    Json(shared.answer.lock().clone())
}

/// Says the same with `{room}` in the place of the room.
async fn say_for_any_room(State(shared): State<Arc<Shared>>) -> Json<EntryAnswer> {
    let mut answer = shared.answer.lock().clone();
    for endpoint in &mut answer.downlinks {
        endpoint.url = endpoint.url.replace("/rooms/demo/", "/rooms/{room}/");
    }
    Json(answer)
}

async fn report(State(shared): State<Arc<Shared>>, Json(report): Json<RaceReport>) {
    shared.reports.lock().push(report);
}

async fn upgrade(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    shared.ws_queries.lock().push(request.uri().query().unwrap_or_default().to_owned());
    let ws = *shared.ws.lock();
    match ws {
        Ws::Taken | Ws::TakenByNewer => {}
        Ws::Refused => return axum::http::StatusCode::BAD_GATEWAY.into_response(),
        Ws::Portal => return axum::response::Html(PORTAL).into_response(),
    }
    let (mut response, upgrade) = handshake::accept(&mut request).unwrap();
    if ws == Ws::TakenByNewer {
        let chosen = "barrage.v1.1.json".parse().unwrap();
        response.headers_mut().insert("sec-websocket-protocol", chosen);
    }
    tokio::spawn(async move {
        let stream = TokioIo::new(upgrade.stream().await.unwrap());
        let (reader, writer) = split(stream, Side::Server, 1 << 20);
        drop(shared.sockets.send(Socket { reader, writer }).await);
    });
    response.map(Body::new)
}

async fn hand_over(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
    let (reply, replied) = oneshot::channel();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let asked = Asked { path: parts.uri.path().to_owned(), query, body, reply };
    drop(shared.requests.send(asked).await);
    replied.await.unwrap_or_else(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// The server side of a viewer's WebSocket.
pub(crate) struct Socket {
    reader: Reader<ReadHalf<Stream>>,
    writer: Writer<WriteHalf<Stream>>,
}

impl Socket {
    pub(crate) async fn send(&mut self, json: &str) {
        self.write(Opcode::Text, json.as_bytes().to_vec()).await;
    }

    pub(crate) async fn send_deflated(&mut self, json: &str) {
        self.write(Opcode::Binary, deflate(json.as_bytes(), 6)).await;
    }

    pub(crate) async fn write(&mut self, opcode: Opcode, payload: Vec<u8>) {
        self.writer.send(opcode, payload).await.unwrap();
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        self.writer.close(code, reason).await.unwrap();
    }

    /// The next frame of the protocol; WebSocket control frames are passed over.
    pub(crate) async fn next(&mut self) -> ClientFrame {
        loop {
            let (opcode, payload) = self.raw().await;
            if opcode == Opcode::Text {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }

    pub(crate) async fn raw(&mut self) -> (Opcode, Vec<u8>) {
        let (opcode, payload) = soon(self.reader.next()).await.unwrap();
        (opcode, payload.to_vec())
    }

    /// Until the viewer has left this connection.
    pub(crate) async fn left(&mut self) {
        let reading =
            async { while self.reader.next().await.is_ok_and(|(opcode, _)| opcode != Opcode::Close) {} };
        soon(reading).await;
    }
}

pub(crate) fn hello(sequence: u64, resume: bool, ping_interval_ms: u64) -> String {
    format!(
        r#"{{"type":"hello","room":"demo","connection":"c1","ping_interval_ms":{ping_interval_ms},"sequence":{sequence},"resume":{resume},"online":1}}"#
    )
}

/// A batch of gifts that covers (`from`, `to`].
pub(crate) fn batch(from: u64, to: u64) -> String {
    written(&BatchWriter { previous: Sequence(from), sequence: Sequence(to), ..BatchWriter::default() })
}

/// The same as the answer to a repair or a resume.
pub(crate) fn repair(from: u64, to: u64, outcome: RepairOutcome) -> String {
    let (previous, sequence) = (Sequence(from), Sequence(to));
    written(&BatchWriter { previous, sequence, repair: Some((outcome, 0)), ..BatchWriter::default() })
}

pub(crate) fn written(writer: &BatchWriter) -> String {
    let mut out = Vec::new();
    let items = (writer.previous.0 + 1..=writer.sequence.0).map(|n| BatchItem {
        sequence: Sequence(n),
        class: Class::Gift,
        body: b"{}",
    });
    writer.write(&mut out, &RoomId::parse("demo").unwrap(), items);
    String::from_utf8(out).unwrap()
}

pub(crate) async fn next(viewer: &mut Viewer) -> Event {
    soon(viewer.next()).await.expect("the viewer has ended")
}

pub(crate) async fn hello_of(viewer: &mut Viewer) -> Transport {
    loop {
        match next(viewer).await {
            Event::Hello(_, transport) => return transport,
            Event::Reconnecting { .. } => {}
            other => panic!("not a hello: {other:?}"),
        }
    }
}

/// The sequences of the messages that come, until this one.
pub(crate) async fn until(viewer: &mut Viewer, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        match next(viewer).await {
            Event::Message(message) => seen.push(message.sequence.0),
            Event::Lost => panic!("a gap was given up"),
            Event::Closed { message, .. } => panic!("closed: {message}"),
            _ => {}
        }
        if seen.last() == Some(&last) {
            return seen;
        }
    }
}
