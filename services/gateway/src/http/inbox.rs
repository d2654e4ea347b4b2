//! The event stream of the inbox, for a page without a room: bells that tell its client to ask `GET /v1/inbox`.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use barrage_http::{ApiError, bearer};
use barrage_protocol::ClientFacts;
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::{Attached, Bell, InboxConnection};
use barrage_token::Identity;
use futures_util::stream;
use http::HeaderMap;
use prometheus::IntGauge;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Duration, Instant};
use tracing::Instrument;

use super::admit;
use super::poll::token_ends;
use super::sse_drain::{SseDrain, Step};
use super::sse_event::{KEEP_ALIVE, answer, event, json};
use super::stream_user::StreamUser;
use crate::admission::{Admission, ends_at_secs, token_expired};
use crate::context::Context;
use crate::dispatch::{Listening, News};

/// Query of the inbox's WebSocket and event stream.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InboxQuery {
    /// Facts of the client as JSON, as a `join` frame has them in `client`.
    pub(super) client: Option<String>,
}

/// Streams bells of the token's user.
pub(super) async fn handle(
    State(context): State<Arc<Context>>,
    Query(query): Query<InboxQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    admit::check_inbox(&context)?;
    let identity = context.gate.access.identify_user(bearer(&headers))?;
    let (admission, wait) = admit::admit_inbox(&context)?;
    tokio::time::sleep(wait).await;
    let facts = query.client.as_deref().map(ClientFacts::parse);
    context.metrics.clients.joined(facts.as_ref(), context.config.client_versions_max);
    let (follower, connection) = Follower::new(context, identity, admission);
    let span = tracing::debug_span!("conn", id = connection, transport = "sse", room = "inbox");
    let events = stream::unfold((follower, span), |(mut follower, span)| async move {
        let bytes = follower.next().instrument(span.clone()).await?;
        Some((bytes, (follower, span)))
    });
    Ok(answer(events))
}

/// One event stream of the inbox.
///
/// hyper asks for the next event once the socket took the last one, and bells that ring meanwhile are one: a slow
/// client has one bell waiting at most.
struct Follower {
    first: Option<Vec<u8>>,
    kept_alive_at: Instant,
    token_ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    drain: SseDrain,
    is_over: bool,
    listening: Listening,
    context: Arc<Context>,
    _places: (Admission, StreamUser, Counted),
}

/// Count of one stream among the connections for the inbox.
struct Counted(IntGauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Follower {
    /// Attaches a stream to its user's mail. Returns it with the id of the connection.
    fn new(context: Arc<Context>, identity: Identity, admission: Admission) -> (Self, String) {
        let ends_at_secs = ends_at_secs(&context.gate.access, &identity);
        let user = identity.user;
        let listening = context.dispatch.listeners.listen(None, Some(&user));
        let mut stream = StreamUser::new(&context, user.clone(), &listening);
        stream.attach(&listening);
        let ids = &context.gate.connection_ids;
        let connection = ids.id(ids.draw());
        let terms = InboxConnection {
            connection: connection.clone(),
            ping_interval_ms: context.config.ping_interval_ms,
            ping_interval_ms_max: None,
        };
        let attached = ServerFrame::Attached(Attached { user, connection: Some(terms) });
        let counted = Counted(context.metrics.inbox_connections("sse"));
        counted.0.inc();
        let follower = Follower {
            first: Some(event("attached", None, &json(&attached))),
            kept_alive_at: Instant::now(),
            token_ends: Box::pin(token_ends(Some(ends_at_secs))),
            drain: SseDrain::new(context.drains.subscribe(), None),
            is_over: false,
            listening,
            context,
            _places: (admission, stream, counted),
        };
        (follower, connection)
    }

    /// Waits for the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let keep_alive = Duration::from_millis(self.context.config.ping_interval_ms);
        loop {
            tokio::select! {
                biased;
                news = self.listening.next() => match news {
                    News::Evicted(refusal) => return Some(self.end(refusal)),
                    // Notices are of rooms: they wait for a viewer's connection.
                    News::Notice(_) => {}
                    News::Bell(spread_ms) => {
                        self.context.metrics.bells.inc();
                        let bell = ServerFrame::Bell(Bell { version: None, spread_ms });
                        return Some(event("bell", None, &json(&bell)));
                    }
                },
                () = &mut self.token_ends => return Some(self.end(token_expired())),
                () = self.context.lifecycle.ended.cancelled() => return None,
                step = self.drain.next(None) => match step {
                    Step::Notify(drain, frame) => {
                        self.context.metrics.moved(drain.cause);
                        return Some(event("reconnect", None, &json(&ServerFrame::Reconnect(*frame))));
                    }
                    Step::Close => return None,
                },
                () = tokio::time::sleep_until(self.kept_alive_at + keep_alive) => {
                    self.kept_alive_at = Instant::now();
                    return Some(KEEP_ALIVE.to_vec());
                }
            }
        }
    }

    /// Ends the stream; returns its last event, the reason.
    fn end(&mut self, refusal: Refusal) -> Vec<u8> {
        self.is_over = true;
        self.context.metrics.closed(refusal.code);
        tracing::debug!(code = refusal.code.label(), "event stream closed by the gateway");
        event("error", None, &json(&ServerFrame::Error(refusal)))
    }
}
