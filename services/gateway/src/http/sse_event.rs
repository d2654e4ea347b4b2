//! Events of server-sent streams, and the answer that has them.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use barrage_protocol::Sequence;
use barrage_protocol::frame::ServerFrame;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header;

/// Comment of a stream that has nothing to send.
pub(super) const KEEP_ALIVE: &[u8] = b": keep\n\n";

/// Returns the JSON of a frame.
pub(super) fn json(frame: &ServerFrame) -> Vec<u8> {
    serde_json::to_vec(frame).expect("frames are plain data")
}

/// Writes one event, with the position from which a browser resumes. JSON has no raw newlines, so one `data:` line
/// holds a frame.
pub(super) fn event(kind: &str, id: Option<Sequence>, json: &[u8]) -> Vec<u8> {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let head = format!("{id}event: {kind}\ndata: ");
    // The exact size, because a slow stream holds the event for long.
    let mut out = Vec::with_capacity(head.len() + json.len() + 2);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
    out
}

/// Answers with events, until the stream ends.
pub(super) fn answer(events: impl Stream<Item = Vec<u8>> + Send + 'static) -> Response {
    let body = events.map(|event| Ok::<_, std::convert::Infallible>(Bytes::from(event)));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that buffer would delay every event.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(body)).into_response()
}
