//! Server-sent events, for networks that break WebSockets. Repairs and acknowledgements go to the poll
//! resource.

use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::ServerFrame;
use tokio::sync::mpsc;

use super::{INCOMING_MAX, Incoming, JoinRequest, Link, OUTGOING_MAX, Tasks, poll};
use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::{HttpPool, refusal};
use crate::ladder::EndCause;

/// Largest event in bytes; a larger one ends the connection.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// Connects and waits for the hello, both within the connect timeout.
pub(crate) async fn connect(
    pool: &HttpPool,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let opening = open(pool, endpoint, config, join);
    tokio::time::timeout(config.connect_timeout, opening).await.map_err(|_| ConnectError::Timeout)?
}

async fn open(
    pool: &HttpPool,
    endpoint: &Endpoint,
    config: &ViewerConfig,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let mut request = pool.http.get(&endpoint.url);
    if let Some(after) = join.after {
        request = request.query(&[("after", after.0)]);
    }
    if let Some(ticket) = join.ticket {
        request = request.query(&[("ticket", ticket)]);
    }
    if let Some(facts) = config.stated_json() {
        request = request.query(&[("client", facts)]);
    }
    if let Some(token) = &config.token {
        request = request.bearer_auth(token);
    }
    let response = refusal(pool.send(request).await.map_err(ConnectError::failed)?).await?;
    if !is_event_stream(&response) {
        return Err(ConnectError::Failed("the answer is not an event stream".into()));
    }
    let (incoming_in, mut incoming) = mpsc::channel(INCOMING_MAX);
    let (outgoing, sent) = mpsc::channel(OUTGOING_MAX);
    let mut tasks = Tasks::default();
    tasks.spawn(read_events(response, incoming_in.clone()));
    let repairs = poll::Repairs {
        pool: pool.clone(),
        url: poll_url(&endpoint.url),
        token: config.token.clone(),
        is_overlay: config.is_overlay(),
    };
    tasks.spawn(poll::answer_repairs(repairs, sent, incoming_in));
    match incoming.recv().await {
        Some(Incoming::Frame(ServerFrame::Hello(hello))) => {
            Ok(Link { transport: Transport::Sse, hello, incoming, outgoing, _tasks: tasks })
        }
        Some(Incoming::Closed { message, .. }) => Err(ConnectError::Failed(message)),
        _ => Err(ConnectError::Failed("the server sent no hello".into())),
    }
}

/// Whether the body is an event stream, and not, for example, the page of a captive portal.
fn is_event_stream(response: &reqwest::Response) -> bool {
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().starts_with("text/event-stream"))
}

/// Returns the URL of the poll resource beside an event stream. The name of the room may be `sse` too.
fn poll_url(url: &str) -> String {
    url.strip_suffix("/sse").map_or_else(|| url.to_owned(), |room| format!("{room}/poll"))
}

async fn read_events(mut response: reqwest::Response, frames: mpsc::Sender<Incoming>) {
    let mut text = EventText::default();
    // The last event of a stream has the reason of its end.
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
                Some(Err(error)) => {
                    Incoming::Closed { code: None, cause: EndCause::Lost, message: error.to_string() }
                }
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
    let cause = if refused.is_some() { EndCause::Closed } else { EndCause::Lost };
    let message = refused.map_or(message, |refusal| refusal.message);
    drop(frames.send(Incoming::Closed { code, cause, message }).await);
}

/// Bytes of the stream that are not a whole event yet.
#[derive(Debug, Default)]
struct EventText {
    bytes: Vec<u8>,
    /// Position before which no event ends, so that a large event is searched once.
    searched: usize,
}

impl EventText {
    /// Removes and returns the first whole event.
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

/// Parses the frame of one event; `None` for a comment.
fn parse(event: &[u8]) -> Option<Result<ServerFrame, serde_json::Error>> {
    let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "))?;
    Some(ServerFrame::parse(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_for_every_size_of_chunks() {
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
    fn room_named_sse_has_a_poll_url() {
        assert_eq!(poll_url("http://h/v1/rooms/sse/sse"), "http://h/v1/rooms/sse/poll");
    }
}
