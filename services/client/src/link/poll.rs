//! Long polling, the last resort; also repairs and acknowledgements for event streams.

use std::time::Duration;

use barrage_protocol::code::{Advice, Refusal};
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::facts::Platform;
use barrage_protocol::frame::{Batch, ClientFrame, Hello, Notice, PollNotices, ServerFrame};
use barrage_protocol::{Code, Sequence};
use tokio::sync::mpsc;

use super::{INCOMING_MAX, Incoming, Link, OUTGOING_MAX, Tasks};
use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::{HttpPool, refusal};
use crate::ladder::EndCause;

/// Longest wait of one poll at the server, in seconds.
const WAIT_SECS: u64 = 20;
/// Time beyond the wait after which the client gives a poll up.
const MARGIN: Duration = Duration::from_secs(10);
/// Shortest interval between empty polls, so that a server that does not wait is not flooded.
const PACE: Duration = Duration::from_millis(500);
/// Heartbeat interval for polls: none, because each request is a heartbeat.
const NO_PING_MS: u64 = 24 * 3600 * 1000;

/// Sends the first poll and makes a hello from its position.
pub(crate) async fn connect(
    pool: &HttpPool,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let is_overlay = config.is_overlay();
    let query = Query { after, client: config.stated_json(), is_overlay, ..Query::default() };
    let first = get(pool, &endpoint.url, config.token.as_deref(), &query);
    let (first, notices) =
        tokio::time::timeout(config.connect_timeout, first).await.map_err(|_| ConnectError::Timeout)??;
    let position = first.sequence;
    let hello = Hello {
        room: first.room.clone(),
        user: None,
        connection: "poll".into(),
        ping_interval_ms: NO_PING_MS,
        ping_interval_ms_max: None,
        visibility: false,
        sequence: position,
        resume: after.is_some(),
        online: 0,
        state: first.state.clone(),
    };
    let (frames, incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, sent) = mpsc::channel(OUTGOING_MAX);
    let mut tasks = Tasks::default();
    let token = config.token.clone();
    let repairs = Repairs { pool: pool.clone(), url: endpoint.url.clone(), token: token.clone(), is_overlay };
    tasks.spawn(answer_repairs(repairs, sent, frames.clone()));
    let (pool, url) = (pool.clone(), endpoint.url.clone());
    tasks.spawn(async move {
        let mut position = position;
        let mut pending: Vec<_> = notices.into_iter().map(ServerFrame::Notice).collect();
        pending.extend(Some(first).filter(|_| after.is_some()).map(ServerFrame::Batch));
        let (code, cause, message) = loop {
            for frame in pending.drain(..) {
                if let ServerFrame::Batch(batch) = &frame {
                    position = batch.sequence;
                }
                if frames.send(Incoming::Frame(frame)).await.is_err() {
                    return;
                }
            }
            let wait = Duration::from_secs(WAIT_SECS) + MARGIN;
            let earliest = tokio::time::Instant::now() + PACE;
            // An empty `ack` announces that this client acknowledges notices, so that they end the wait.
            let ack = token.as_ref().map(|_| String::new());
            let query = Query { after: Some(position), wait_secs: WAIT_SECS, ack, client: None, is_overlay };
            match tokio::time::timeout(wait, get(&pool, &url, token.as_deref(), &query)).await {
                Ok(Ok((next, notices))) => {
                    if next.sequence <= position {
                        tokio::time::sleep_until(earliest).await;
                    }
                    pending.extend(notices.into_iter().map(ServerFrame::Notice));
                    pending.push(ServerFrame::Batch(next));
                }
                Ok(Err(ConnectError::Refused(refusal))) => {
                    break (final_code(&refusal), EndCause::Closed, refusal.message);
                }
                Ok(Err(error)) => break (None, EndCause::Lost, error.to_string()),
                Err(_) => break (None, EndCause::Lost, "the server did not answer a poll".to_owned()),
            }
        };
        drop(frames.send(Incoming::Closed { code, cause, message }).await);
    });
    Ok(Link { transport: Transport::Poll, hello, incoming, outgoing, _tasks: tasks })
}

/// Returns the close code of a refusal after which the viewer must not reconnect. An unknown room may be
/// known again after a restart, so the reconnect decides about it.
pub(crate) fn final_code(refusal: &Refusal) -> Option<u16> {
    let is_final = refusal.code.advice() == Advice::Never && refusal.code != Code::UnknownRoom;
    is_final.then(|| refusal.code.close())
}

/// Query of one long poll, in the URL.
#[derive(Debug, Default)]
struct Query {
    after: Option<Sequence>,
    wait_secs: u64,
    ack: Option<String>,
    /// Facts of the client, in the first poll alone.
    client: Option<String>,
    /// Whether the client is an overlay, which every poll states.
    is_overlay: bool,
}

/// Sends one poll and reads its answer.
async fn get(
    pool: &HttpPool,
    url: &str,
    token: Option<&str>,
    query: &Query,
) -> Result<(Batch, Vec<Notice>), ConnectError> {
    let mut request = pool.http.get(url).query(&[("wait_secs", query.wait_secs)]);
    if let Some(after) = query.after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(ack) = &query.ack {
        request = request.query(&[("ack", ack)]);
    }
    if let Some(client) = &query.client {
        request = request.query(&[("client", client)]);
    }
    if query.is_overlay {
        request = request.query(&[("platform", Platform::Overlay.label())]);
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = refusal(pool.send(request).await.map_err(ConnectError::failed)?).await?;
    let bytes = response.bytes().await.map_err(ConnectError::failed)?;
    let PollNotices { notices } = serde_json::from_slice(&bytes).map_err(ConnectError::failed)?;
    match ServerFrame::parse(&bytes).map_err(ConnectError::failed)? {
        ServerFrame::Batch(batch) => Ok((batch, notices)),
        _ => Err(ConnectError::Failed("the answer to a poll is not a batch".into())),
    }
}

/// Poll resource to which repairs and acknowledgements go, and what each request states.
pub(crate) struct Repairs {
    pub(crate) pool: HttpPool,
    /// URL of the poll resource of the room.
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) is_overlay: bool,
}

/// Sends repairs and acknowledgements to the poll resource, for connections that carry no frames of the
/// client.
pub(crate) async fn answer_repairs(
    to: Repairs,
    mut sent: mpsc::Receiver<ClientFrame>,
    frames: mpsc::Sender<Incoming>,
) {
    while let Some(frame) = sent.recv().await {
        let query = match frame {
            ClientFrame::Repair { after, .. } => {
                Query { after: Some(after), is_overlay: to.is_overlay, ..Query::default() }
            }
            ClientFrame::Ack { sequences } => {
                let texts: Vec<_> = sequences.iter().map(ToString::to_string).collect();
                Query { ack: Some(texts.join(",")), is_overlay: to.is_overlay, ..Query::default() }
            }
            ClientFrame::Join { .. }
            | ClientFrame::Ping { .. }
            | ClientFrame::Switch { .. }
            | ClientFrame::Visibility { .. }
            | ClientFrame::Traces {}
            | ClientFrame::Traced { .. }
            | ClientFrame::Attach { .. }
            | ClientFrame::Detach {} => continue,
        };
        let is_repair = query.after.is_some();
        if let Ok((batch, _)) = get(&to.pool, &to.url, to.token.as_deref(), &query).await
            && is_repair
            && frames.send(Incoming::Frame(ServerFrame::Batch(batch))).await.is_err()
        {
            return;
        }
    }
    // The connection goes on, because other tasks still hold a sender of frames.
}
