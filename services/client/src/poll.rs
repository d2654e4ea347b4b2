//! Long polling, the last resort; and repairs for the event stream.

use std::time::Duration;

use barrage_protocol::code::{Advice, Refusal};
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{Batch, ClientFrame, Hello, Notice, PollNotices, ServerFrame};
use barrage_protocol::{Code, Sequence};
use tokio::sync::mpsc;

use crate::config::ViewerConfig;
use crate::endpoints::refusal;
use crate::error::ConnectError;
use crate::link::{INCOMING_MAX, Incoming, Link, OUTGOING_MAX, Tasks};

/// How long one poll waits at the server.
const WAIT_SECS: u64 = 20;
/// Beyond the wait, before a poll is given up.
const MARGIN: Duration = Duration::from_secs(10);
/// Between polls that brought nothing, so that a server that does not wait is not
/// asked without end.
const PACE: Duration = Duration::from_millis(500);
/// A poll needs no heartbeat: each request is one.
const NO_PING_MS: u64 = 24 * 3600 * 1000;

/// The first poll tells the position; a hello is made of it.
pub(crate) async fn connect(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let asked = Asked { after, ..Asked::default() };
    let first = get(http, &endpoint.url, config.token.as_deref(), &asked);
    let (first, notices) =
        tokio::time::timeout(config.connect_timeout, first).await.map_err(|_| ConnectError::Timeout)??;
    let position = first.sequence;
    let hello = Hello {
        room: first.room.clone(),
        user: None,
        connection: "poll".into(),
        ping_interval_ms: NO_PING_MS,
        sequence: position,
        resume: after.is_some(),
        online: 0,
    };
    let (frames, incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, asked) = mpsc::channel(OUTGOING_MAX);
    let mut tasks = Tasks::default();
    let token = config.token.clone();
    tasks.spawn(answer_repairs(http.clone(), endpoint.url.clone(), token.clone(), asked, frames.clone()));
    let (http, url) = (http.clone(), endpoint.url.clone());
    tasks.spawn(async move {
        let mut position = position;
        let mut brought: Vec<_> = notices.into_iter().map(ServerFrame::Notice).collect();
        brought.extend(Some(first).filter(|_| after.is_some()).map(ServerFrame::Batch));
        let (code, message) = loop {
            for frame in brought.drain(..) {
                if let ServerFrame::Batch(batch) = &frame {
                    position = batch.sequence;
                }
                if frames.send(Incoming::Frame(frame)).await.is_err() {
                    return;
                }
            }
            let wait = Duration::from_secs(WAIT_SECS) + MARGIN;
            let earliest = tokio::time::Instant::now() + PACE;
            // An empty `ack` says that notices are acknowledged: they end the wait.
            let ack = token.as_ref().map(|_| String::new());
            let asked = Asked { after: Some(position), wait_secs: WAIT_SECS, ack };
            match tokio::time::timeout(wait, get(&http, &url, token.as_deref(), &asked)).await {
                Ok(Ok((next, notices))) => {
                    if next.sequence <= position {
                        tokio::time::sleep_until(earliest).await;
                    }
                    brought.extend(notices.into_iter().map(ServerFrame::Notice));
                    brought.push(ServerFrame::Batch(next));
                }
                Ok(Err(ConnectError::Refused(refusal))) => break (final_code(&refusal), refusal.message),
                Ok(Err(error)) => break (None, error.to_string()),
                Err(_) => break (None, "a poll was not answered".to_owned()),
            }
        };
        drop(frames.send(Incoming::Closed { code, message }).await);
    });
    Ok(Link { transport: Transport::Poll, hello, incoming, outgoing, _tasks: tasks })
}

/// The close code of a refusal after which the viewer does not come back. A room that is
/// unknown may be known again after a restart, so the reconnect decides about it.
pub(crate) fn final_code(refusal: &Refusal) -> Option<u16> {
    let is_final = refusal.code.advice() == Advice::Never && refusal.code != Code::UnknownRoom;
    is_final.then(|| refusal.code.close())
}

/// The query of one poll.
#[derive(Debug, Default)]
struct Asked {
    after: Option<Sequence>,
    wait_secs: u64,
    ack: Option<String>,
}

async fn get(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    asked: &Asked,
) -> Result<(Batch, Vec<Notice>), ConnectError> {
    let mut request = http.get(url).query(&[("wait_secs", asked.wait_secs)]);
    if let Some(after) = asked.after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(ack) = &asked.ack {
        request = request.query(&[("ack", ack)]);
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = refusal(request.send().await.map_err(ConnectError::failed)?).await?;
    let bytes = response.bytes().await.map_err(ConnectError::failed)?;
    let PollNotices { notices } = serde_json::from_slice(&bytes).map_err(ConnectError::failed)?;
    match ServerFrame::parse(&bytes).map_err(ConnectError::failed)? {
        ServerFrame::Batch(batch) => Ok((batch, notices)),
        _ => Err(ConnectError::Failed("a poll brought no batch".into())),
    }
}

/// Where a connection cannot carry what a client says, the poll resource answers a repair and
/// takes acknowledgements.
pub(crate) async fn answer_repairs(
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    mut asked: mpsc::Receiver<ClientFrame>,
    frames: mpsc::Sender<Incoming>,
) {
    while let Some(frame) = asked.recv().await {
        let asked = match frame {
            ClientFrame::Repair { after, .. } => Asked { after: Some(after), ..Asked::default() },
            ClientFrame::Ack { sequences } => {
                let texts: Vec<_> = sequences.iter().map(ToString::to_string).collect();
                Asked { ack: Some(texts.join(",")), ..Asked::default() }
            }
            ClientFrame::Join { .. } | ClientFrame::Ping { .. } | ClientFrame::Switch { .. } => continue,
        };
        let is_repair = asked.after.is_some();
        if let Ok((batch, _)) = get(&http, &url, token.as_deref(), &asked).await
            && is_repair
            && frames.send(Incoming::Frame(ServerFrame::Batch(batch))).await.is_err()
        {
            return;
        }
    }
    // The frames' other senders live on: the connection ends when they do.
}
