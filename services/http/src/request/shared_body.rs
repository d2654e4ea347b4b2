//! Request bodies that are still arriving when the answer is ready.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;

/// Maximum bytes that are read of a body after its answer is ready. The connection of a longer body
/// is closed.
const BYTES_MAX: usize = 64 * 1024;
/// Maximum time that a ready answer waits for the rest of the body.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A request's body that can be read after its handler has dropped it. The bytes of an unread body
/// would otherwise be parsed as the next request.
#[derive(Debug, Clone)]
pub(crate) struct SharedBody(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    body: Incoming,
    is_read: bool,
    /// Whether a read was attempted: a client that waits for `100 Continue` has received it.
    is_begun: bool,
}

impl SharedBody {
    pub(crate) fn new(body: Incoming) -> Self {
        SharedBody(Arc::new(Mutex::new(State { body, is_read: false, is_begun: false })))
    }

    /// Reads the rest of the body, within bounds. Returns whether the connection can take another
    /// request.
    pub(crate) async fn finish(mut self, expects_continue: bool) -> bool {
        {
            let state = self.0.lock();
            if state.is_read || state.body.is_end_stream() {
                return true;
            }
            let is_long = state.body.size_hint().lower() > BYTES_MAX as u64;
            if is_long || (expects_continue && !state.is_begun) {
                return false;
            }
        }
        let rest = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = self.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > BYTES_MAX {
                    return;
                }
            }
        };
        drop(tokio::time::timeout(WAIT_MAX, rest).await);
        let state = self.0.lock();
        state.is_read || state.body.is_end_stream()
    }
}

impl Body for SharedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut state = self.0.lock();
        state.is_begun = true;
        let polled = Pin::new(&mut state.body).poll_frame(cx);
        if let Poll::Ready(None) = polled {
            state.is_read = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}
