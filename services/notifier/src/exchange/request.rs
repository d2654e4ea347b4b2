//! A request to a push service, and its answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

/// Bytes of an answer that are read. The rest of a longer one is dropped with its stream.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// What requests say they come from.
const AGENT: &str = concat!("Barrage-Push/", env!("CARGO_PKG_VERSION"));

/// A `POST` to a service.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) url: Uri,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

/// Answer of a service, with a bounded part of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Outgoing {
    /// Returns the request as a connection takes it; `None` when a header has characters that none may have.
    pub(super) fn request(&self) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(Method::POST).uri(self.url.clone());
        request = request.header(header::USER_AGENT, AGENT).header(header::CONTENT_LENGTH, self.body.len());
        for (name, value) in &self.headers {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(*name == "authorization");
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone())).ok()
    }
}

impl Answer {
    /// Reads status, `Retry-After` and at most 16 KB of the body.
    pub(super) async fn read(response: hyper::Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, mut incoming) = response.into_parts();
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after =
            retry_after.and_then(|value| barrage_outbound::retry_after(value, barrage_clock::wall()));
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame?.into_data() {
                let left = ANSWER_BYTES_MAX - body.len();
                body.extend_from_slice(&data[..data.len().min(left)]);
                if data.len() >= left {
                    break;
                }
            }
        }
        Ok(Answer { status: head.status.as_u16(), retry_after, body })
    }

    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    pub(crate) fn retry_after_secs(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs())
    }
}
