//! The WebSocket handshake.
//!
//! Fast path, from the accept loop to a shard: one read, one look at the head, and the shard answers
//! together with the hello. Slow path, through hyper and axum: all other requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, Arrived, Greeted, Greeter, GuardedStream, Transport, bearer};
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::SUBPROTOCOL_TOKEN_PREFIX;
use barrage_protocol::{ClientFacts, Code, FrameVersion, Sequence, Subprotocol};
use barrage_token::Identity;
use barrage_ws::handshake::{self, NotAHandshake, Upgrade};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use hyper_util::rt::TokioIo;
use tracing::Instrument;

use super::admit;
use super::inbox::InboxQuery;
use super::request_head::{RequestHead, WsQuery, check_handshake, switching_protocols};
use super::room_path::room;
use crate::admission::Admission;
use crate::context::Context;
use crate::dispatch::{Arrival, Destination, JoinRequest};
use crate::socket::{DetachedSocket, Encoding};

/// Checked handshake. Its join has neither a place nor a slot yet.
struct Handshake {
    request: JoinRequest,
    ticket: Option<String>,
    /// Subprotocol that the answer chooses; `None` when the client offered none that is known.
    subprotocol: Option<&'static str>,
}

/// Checks a handshake before anything is allocated for the viewer, so that a refusal is an HTTP
/// answer.
fn check(
    context: &Context,
    destination: Destination,
    query: WsQuery,
    headers: &HeaderMap,
) -> Result<Handshake, ApiError> {
    context.gate.access.origins.check(headers)?;
    let protocols = offered(headers);
    // The client's order is its preference.
    let subprotocol = protocols.iter().find_map(|name| Subprotocol::find(name));
    let encoding = subprotocol.map(|subprotocol| subprotocol.encoding).unwrap_or_default();
    let encoding = Encoding::of(encoding, context.config.deflate_effort);
    let by_protocol = protocols.iter().find_map(|p| p.strip_prefix(SUBPROTOCOL_TOKEN_PREFIX));
    let identity = identify(context, &destination, by_protocol.or_else(|| bearer(headers)))?;
    let request = JoinRequest {
        destination,
        identity,
        after: query.after.map(Sequence),
        encoding,
        version: subprotocol.map_or_else(FrameVersion::default, |subprotocol| subprotocol.version),
        facts: query.client.map(|json| Box::new(ClientFacts::parse(&json))),
    };
    Ok(Handshake { request, ticket: query.ticket, subprotocol: subprotocol.map(|it| it.name) })
}

/// Verifies the token of a handshake. Without one, the token may come in a frame.
fn identify(
    context: &Context,
    destination: &Destination,
    token: Option<&str>,
) -> Result<Option<Identity>, Refusal> {
    match (destination, token) {
        (Destination::Room(room), Some(token)) => admit::identify(context, room, Some(token)),
        (Destination::Room(room), None) => admit::check(context, room, None).map(|()| None),
        (Destination::Inbox, token) => {
            admit::check_inbox(context)?;
            token.map(|token| context.gate.access.identify_user(Some(token))).transpose()
        }
    }
}

/// Takes a place for a checked handshake. Returns the wait until its slot.
fn admit(
    context: &Context,
    request: &JoinRequest,
    ticket: Option<&str>,
) -> Result<(Admission, Duration), Refusal> {
    match &request.destination {
        Destination::Room(room) => admit::admit_join(context, room, request.identity.as_ref(), ticket),
        Destination::Inbox => admit::admit_inbox(context),
    }
}

fn offered(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

/// Refuses a request that lacks a handshake's key or version, which an earlier check finds first.
fn not_a_handshake(_: NotAHandshake) -> ApiError {
    ApiError::new(Code::BadRequest, "expected a WebSocket handshake, version 13")
}

/// Slow path through hyper and axum, for heads that the fast path does not parse.
pub(super) async fn handle(
    State(context): State<Arc<Context>>,
    Path(room_text): Path<String>,
    Query(query): Query<WsQuery>,
    http: HttpRequest,
) -> Result<Response, ApiError> {
    check_handshake(http.method(), http.version(), http.headers())?;
    upgrade(context, Destination::Room(room(&room_text)?), query, http).await
}

/// Takes a connection that is for the inbox alone.
pub(super) async fn handle_inbox(
    State(context): State<Arc<Context>>,
    Query(InboxQuery { client }): Query<InboxQuery>,
    http: HttpRequest,
) -> Result<Response, ApiError> {
    check_handshake(http.method(), http.version(), http.headers())?;
    upgrade(context, Destination::Inbox, WsQuery { after: None, ticket: None, client }, http).await
}

async fn upgrade(
    context: Arc<Context>,
    destination: Destination,
    query: WsQuery,
    mut http: HttpRequest,
) -> Result<Response, ApiError> {
    let Handshake { request, ticket, subprotocol } = check(&context, destination, query, http.headers())?;
    let (answer, upgrade) = handshake::accept(&mut http).map_err(not_a_handshake)?;
    let (admission, wait) = admit(&context, &request, ticket.as_deref())?;
    tokio::time::sleep(wait).await;
    let mut response = answer.into_response();
    if let Some(subprotocol) = subprotocol {
        let value = HeaderValue::from_static(subprotocol);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    tokio::spawn(hand_over(context, upgrade, request, admission).in_current_span());
    Ok(response)
}

/// Takes the stream out of hyper and sends it to a shard.
async fn hand_over(context: Arc<Context>, upgrade: Upgrade, request: JoinRequest, admission: Admission) {
    let Ok(upgraded) = upgrade.stream().await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<GuardedStream>>() else {
        tracing::error!("upgraded connection does not come from one of the listeners");
        return;
    };
    let (transport, permit) = parts.io.into_inner().into_parts();
    let socket = match detach(transport) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::debug!(%error, "connection failed during its handshake");
            return;
        }
    };
    let leftover = parts.read_buf.to_vec();
    let arrival = Arrival { socket, permit, admission, request, answer: Bytes::new(), leftover };
    let lost = context.dispatch.adopt(vec![arrival]).await;
    context.refuse_at_ended_shard(lost);
}

/// Detaches the stream from this runtime, so that a shard's runtime can register it.
fn detach(transport: Transport) -> std::io::Result<DetachedSocket> {
    Ok(match transport {
        Transport::Plain(stream) => DetachedSocket { stream: stream.into_std()?, tls: None },
        Transport::Tls(stream) => {
            let (stream, tls) = stream.into_parts();
            DetachedSocket { stream: stream.into_std()?, tls: Some(tls) }
        }
    })
}

/// Fast path: takes handshakes over from the accept loop.
pub(crate) struct HandshakeGreeter(pub(crate) Arc<Context>);

/// Handshake with its place, the wait until its slot, and its answer.
struct Accepted {
    request: JoinRequest,
    admission: Admission,
    wait: Duration,
    answer: Bytes,
}

impl Greeter for HandshakeGreeter {
    fn greet(&self, arrived: Arrived) -> Greeted {
        let Some((head, used)) = RequestHead::parse(&arrived.head) else { return Greeted::Http(arrived) };
        match self.accept(head) {
            Ok(Accepted { request, admission, wait, answer }) => {
                let Arrived { stream, tls, permit, head } = arrived;
                let leftover = head[used..].to_vec();
                let socket = DetachedSocket { stream, tls };
                let arrival = Arrival { socket, permit, admission, request, answer, leftover };
                self.0.dispatch.arrive(arrival, wait);
                Greeted::Taken
            }
            Err(refusal) => Greeted::Refused(arrived, refusal),
        }
    }

    fn settle(&self) {
        let lost = self.0.dispatch.settle();
        self.0.refuse_at_ended_shard(lost);
    }
}

impl HandshakeGreeter {
    fn accept(&self, head: RequestHead) -> Result<Accepted, ApiError> {
        let context = &self.0;
        let destination = Destination::Room(room(&head.room)?);
        let Handshake { request, ticket, subprotocol } =
            check(context, destination, head.query, &head.headers)?;
        let answer = handshake::answer_headers(head.headers).map_err(not_a_handshake)?;
        let (admission, wait) = admit(context, &request, ticket.as_deref())?;
        let answer = switching_protocols(&answer, subprotocol);
        Ok(Accepted { request, admission, wait, answer })
    }
}
