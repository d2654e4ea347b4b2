//! Long polling, the last resort; and repairs for the event stream.

use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{Batch, ClientFrame, Hello, ServerFrame};
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
    let first = get(http, &endpoint.url, config.token.as_deref(), after, 0);
    let first =
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
        let mut batch = Some(first).filter(|_| after.is_some());
        let message = loop {
            if let Some(batch) = batch.take() {
                position = batch.sequence;
                if frames.send(Incoming::Frame(ServerFrame::Batch(batch))).await.is_err() {
                    return;
                }
            }
            let wait = Duration::from_secs(WAIT_SECS) + MARGIN;
            let earliest = tokio::time::Instant::now() + PACE;
            let polled =
                tokio::time::timeout(wait, get(&http, &url, token.as_deref(), Some(position), WAIT_SECS))
                    .await;
            match polled {
                Ok(Ok(next)) => {
                    if next.sequence <= position {
                        tokio::time::sleep_until(earliest).await;
                    }
                    batch = Some(next);
                }
                Ok(Err(error)) => break error.to_string(),
                Err(_) => break "a poll was not answered".to_owned(),
            }
        };
        drop(frames.send(Incoming::Closed { code: None, message }).await);
    });
    Ok(Link { transport: Transport::Poll, hello, incoming, outgoing, _tasks: tasks })
}

async fn get(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    after: Option<Sequence>,
    wait_secs: u64,
) -> Result<Batch, ConnectError> {
    let mut request = http.get(url).query(&[("wait_secs", wait_secs)]);
    if let Some(after) = after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = refusal(request.send().await.map_err(ConnectError::failed)?).await?;
    let bytes = response.bytes().await.map_err(ConnectError::failed)?;
    match ServerFrame::parse(&bytes).map_err(ConnectError::failed)? {
        ServerFrame::Batch(batch) => Ok(batch),
        _ => Err(ConnectError::Failed("a poll brought no batch".into())),
    }
}

/// Where a connection cannot carry a repair, the poll resource answers it.
pub(crate) async fn answer_repairs(
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    mut asked: mpsc::Receiver<ClientFrame>,
    frames: mpsc::Sender<Incoming>,
) {
    while let Some(frame) = asked.recv().await {
        if let ClientFrame::Repair { after, .. } = frame
            && let Ok(batch) = get(&http, &url, token.as_deref(), Some(after), 0).await
            && frames.send(Incoming::Frame(ServerFrame::Batch(batch))).await.is_err()
        {
            return;
        }
    }
    // The frames' other senders live on: the connection ends when they do.
}
