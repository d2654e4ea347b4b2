//! Server-sent events, for networks that break WebSockets. What a client must say
//! (a repair) goes over the poll resource.

use barrage_protocol::Sequence;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::ServerFrame;
use tokio::sync::mpsc;

use crate::config::ViewerConfig;
use crate::endpoints::refusal;
use crate::error::ConnectError;
use crate::link::{INCOMING_MAX, Incoming, Link, OUTGOING_MAX, Tasks};
use crate::poll;

/// Longest event; a longer one ends the connection.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// Connects and waits for the hello.
pub(crate) async fn connect(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let opening = open(http, endpoint, config, after);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let mut request = http.get(&endpoint.url);
    if let Some(after) = after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(token) = &config.token {
        request = request.bearer_auth(token);
    }
    let response = refusal(request.send().await.map_err(ConnectError::failed)?).await?;
    let (incoming_in, mut incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, asked) = mpsc::channel(OUTGOING_MAX);
    let mut tasks = Tasks::default();
    tasks.spawn(read_events(response, incoming_in.clone()));
    let poll_url = endpoint.url.replace("/sse", "/poll");
    tasks.spawn(poll::answer_repairs(http.clone(), poll_url, config.token.clone(), asked, incoming_in));
    match incoming.recv().await {
        Some(Incoming::Frame(ServerFrame::Hello(hello))) => {
            Ok(Link { transport: Transport::Sse, hello, incoming, outgoing, _tasks: tasks })
        }
        Some(Incoming::Closed { message, .. }) => Err(ConnectError::Failed(message)),
        _ => Err(ConnectError::Failed("no hello came".into())),
    }
}

async fn read_events(mut response: reqwest::Response, frames: mpsc::Sender<Incoming>) {
    let mut text = Vec::new();
    let message = loop {
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            let Some(parsed) = parse(&event) else { continue };
            let is_last = parsed.is_err();
            let incoming = match parsed {
                Ok(frame) => Incoming::Frame(frame),
                Err(error) => Incoming::Closed { code: None, message: error.to_string() },
            };
            if frames.send(incoming).await.is_err() || is_last {
                return;
            }
        }
        if text.len() > EVENT_BYTES_MAX {
            break "an event is too large".to_owned();
        }
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break "the stream ended".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    drop(frames.send(Incoming::Closed { code: None, message }).await);
}

/// The frame of one event; `None` for a comment.
fn parse(event: &[u8]) -> Option<Result<ServerFrame, serde_json::Error>> {
    let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "))?;
    Some(ServerFrame::parse(data))
}
