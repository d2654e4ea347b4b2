//! Server-sent events, for networks that break WebSockets. What a client must say
//! (a repair) goes over the poll resource.

use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::ServerFrame;
use tokio::sync::mpsc;

use crate::config::ViewerConfig;
use crate::connect::Wish;
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
    wish: Wish<'_>,
) -> Result<Link, ConnectError> {
    let opening = open(http, endpoint, config, wish);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    wish: Wish<'_>,
) -> Result<Link, ConnectError> {
    let mut request = http.get(&endpoint.url);
    if let Some(after) = wish.after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(ticket) = wish.ticket {
        request = request.query(&[("ticket", ticket)]);
    }
    if let Some(token) = &config.token {
        request = request.bearer_auth(token);
    }
    let response = refusal(request.send().await.map_err(ConnectError::failed)?).await?;
    let (incoming_in, mut incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, asked) = mpsc::channel(OUTGOING_MAX);
    let mut tasks = Tasks::default();
    tasks.spawn(read_events(response, incoming_in.clone()));
    let poll_url = poll_url(&endpoint.url);
    tasks.spawn(poll::answer_repairs(http.clone(), poll_url, config.token.clone(), asked, incoming_in));
    match incoming.recv().await {
        Some(Incoming::Frame(ServerFrame::Hello(hello))) => {
            Ok(Link { transport: Transport::Sse, hello, incoming, outgoing, _tasks: tasks })
        }
        Some(Incoming::Closed { message, .. }) => Err(ConnectError::Failed(message)),
        _ => Err(ConnectError::Failed("no hello came".into())),
    }
}

/// The poll resource beside an event stream; a room may be called `sse` too.
fn poll_url(url: &str) -> String {
    url.strip_suffix("/sse").map_or_else(|| url.to_owned(), |room| format!("{room}/poll"))
}

async fn read_events(mut response: reqwest::Response, frames: mpsc::Sender<Incoming>) {
    let mut text = EventText::default();
    // The last event of a stream that the server ends says why.
    let mut refused = None;
    let message = loop {
        while let Some(event) = text.next_event() {
            let parsed = parse(&event);
            let is_last = matches!(parsed, Some(Err(_)));
            if let Some(Ok(ServerFrame::Error(refusal))) = &parsed {
                refused = Some(refusal.clone());
            }
            let incoming = match parsed {
                Some(Ok(frame)) => Incoming::Frame(frame),
                Some(Err(error)) => Incoming::Closed { code: None, message: error.to_string() },
                None => Incoming::Alive,
            };
            if frames.send(incoming).await.is_err() || is_last {
                return;
            }
        }
        if text.bytes.len() > EVENT_BYTES_MAX {
            break "an event is too large".to_owned();
        }
        match response.chunk().await {
            Ok(Some(chunk)) => text.bytes.extend_from_slice(&chunk),
            Ok(None) => break "the stream ended".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let code = refused.as_ref().and_then(poll::final_code);
    let message = refused.map_or(message, |refusal| refusal.message);
    drop(frames.send(Incoming::Closed { code, message }).await);
}

/// What has come of the stream and is not yet a whole event.
#[derive(Debug, Default)]
struct EventText {
    bytes: Vec<u8>,
    /// No event ends before here: a large one is searched once, not once per chunk.
    searched: usize,
}

impl EventText {
    /// Takes the first whole event out.
    fn next_event(&mut self) -> Option<Vec<u8>> {
        let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = unsearched.windows(2).position(|pair| pair == b"\n\n") else {
            self.searched = self.bytes.len().saturating_sub(1);
            return None;
        };
        let event = self.bytes.drain(..self.searched + end + 2).collect();
        self.searched = 0;
        Some(event)
    }
}

/// The frame of one event; `None` for a comment.
fn parse(event: &[u8]) -> Option<Result<ServerFrame, serde_json::Error>> {
    let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "))?;
    Some(ServerFrame::parse(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_chunks_are_cut() {
        let stream = b": keep\n\nid: 1\nevent: pong\ndata: {}\n\nid: 2\n";
        for chunk_bytes in 1..stream.len() {
            let mut text = EventText::default();
            let mut events = Vec::new();
            for chunk in stream.chunks(chunk_bytes) {
                text.bytes.extend_from_slice(chunk);
                events.extend(std::iter::from_fn(|| text.next_event()));
            }
            assert_eq!(events.len(), 2, "{chunk_bytes}");
            assert!(parse(&events[0]).is_none());
            assert!(parse(&events[1]).is_some());
            assert_eq!(text.bytes, b"id: 2\n");
        }
    }

    #[test]
    fn a_room_may_be_called_like_the_resource() {
        assert_eq!(poll_url("http://h/v1/rooms/sse/sse"), "http://h/v1/rooms/sse/poll");
    }
}
