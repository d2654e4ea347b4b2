//! The body of an HTTP/2 answer, in pieces, with a write deadline for its stream alone.
//!
//! The deadline of the socket does not see a client that reads its connection and opens no window for
//! one stream. Such a stream is reset; the other streams of the connection go on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::exchange::Tracked;

/// Maximum bytes of a body that the HTTP/2 library gets at once. It keeps a piece for which the
/// client has opened only a part of the window, also after the stream's task has ended.
const PIECE_BYTES: usize = 16 * 1024;

tokio::task_local! {
    /// The piece of the stream whose task runs.
    static CURRENT: Arc<Piece>;
}

/// The piece of a stream's body that waits for the client's window.
#[derive(Debug, Default)]
struct Piece {
    /// Steady time at which the piece began to wait, in milliseconds plus one; 0 for none.
    waits_since_ms: AtomicU64,
}

impl Piece {
    /// Returns when a piece has waited for `max`.
    async fn stalled(&self, max: Duration) {
        loop {
            let since_ms = self.waits_since_ms.load(Ordering::Acquire);
            let waited = Duration::from_millis((barrage_clock::steady_ms() + 1).saturating_sub(since_ms));
            if since_ms > 0 && waited >= max {
                return;
            }
            let wait = if since_ms > 0 { max - waited } else { max };
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

/// Runs the task of a stream until it ends, or until the client took no piece of its answer for
/// `stall_max`. The stream is reset then, because its task is dropped.
pub(super) async fn run(task: impl Future<Output = ()>, stall_max: Duration) {
    let piece = Arc::<Piece>::default();
    let bounded = async {
        tokio::select! {
            () = task => {}
            () = piece.stalled(stall_max) => tracing::debug!("an HTTP/2 stream was reset: its client opens no window"),
        }
    };
    CURRENT.scope(Arc::clone(&piece), bounded).await;
}

/// Body of an answer on a stream that [`run`] runs.
pub(super) struct AnswerBody {
    body: Tracked,
    /// Bytes that the library has not taken yet.
    rest: Bytes,
    piece: Arc<Piece>,
}

impl AnswerBody {
    /// Creates the body inside of the stream's task.
    pub(super) fn new(body: Tracked) -> Self {
        AnswerBody { body, rest: Bytes::new(), piece: CURRENT.try_with(Arc::clone).unwrap_or_default() }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The library asks for a frame when the client's window has room for the last piece.
        self.piece.waits_since_ms.store(0, Ordering::Release);
        if self.rest.is_empty() {
            let polled = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
            let frame = match polled {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let bytes = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(bytes);
        self.piece.waits_since_ms.store(barrage_clock::steady_ms() + 1, Ordering::Release);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let upper = hint.upper();
        hint.set_lower(hint.lower() + rest);
        if let Some(upper) = upper {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
