//! What a viewer's task waits for.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::Viewer;

/// The viewer closes, or its socket has failed.
#[derive(Debug)]
pub(crate) struct Closing;

/// Waits until the viewer's socket takes bytes.
///
/// # Errors
/// The socket has failed, or the viewer closes.
pub(crate) async fn writable(viewer: &Viewer) -> Result<(), Closing> {
    poll_fn(|context| {
        if is_closing(viewer, context) {
            return Poll::Ready(Err(Closing));
        }
        viewer.socket.poll_write_ready(context).map_err(|_| Closing)
    })
    .await
}

/// Waits until the viewer closes, so that a pause of its task can end early.
pub(crate) async fn closed(viewer: &Viewer) {
    poll_fn(|context| if is_closing(viewer, context) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Returns whether the viewer closes. Takes all wakes, because the caller looks at their causes by itself.
fn is_closing(viewer: &Viewer, context: &mut Context<'_>) -> bool {
    while viewer.wake.poll(context).is_ready() {}
    viewer.closing.get().is_some()
}
