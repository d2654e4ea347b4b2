//! Answers that are ready before the request's body has come.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What is read of a body after its answer is ready. The connection of a longer one is closed.
const BYTES_MAX: usize = 64 * 1024;
/// How long such an answer waits for the rest of the body.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A request's body, which can still be read after its handler has dropped it. Without that the
/// bytes of an unread body would stand where the next request is due.
#[derive(Debug, Clone)]
pub(crate) struct SharedBody(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    body: Incoming,
    is_read: bool,
    /// Something of it was asked for: a client that waits for `100 Continue` has got it.
    is_begun: bool,
}

impl SharedBody {
    pub(crate) fn new(body: Incoming) -> Self {
        SharedBody(Arc::new(Mutex::new(State { body, is_read: false, is_begun: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is left, within bounds. Returns whether the connection can take another
    /// request.
    pub(crate) async fn finish(mut self, expects_continue: bool) -> bool {
        {
            let state = self.state();
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
        let state = self.state();
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
        let mut state = self.state();
        state.is_begun = true;
        let polled = Pin::new(&mut state.body).poll_frame(cx);
        if let Poll::Ready(None) = polled {
            state.is_read = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.state().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().body.size_hint()
    }
}
