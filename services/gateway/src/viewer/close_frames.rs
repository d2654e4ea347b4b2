use barrage_protocol::code::Refusal;
use barrage_protocol::frame::ServerFrame;
use bytes::Bytes;

use crate::socket::{Encoding, encode};

/// Bytes of a viewer's queue that are kept for the refusal and the close frame.
pub(super) const CLOSE_BYTES: usize = 1_024;

/// Returns the last frames of a connection: the refusal, and the close frame with its code.
///
/// A refusal that quotes a long frame of the client is left out, so that both fit into [`CLOSE_BYTES`].
pub(super) fn close_frames(refusal: Refusal, encoding: Encoding) -> impl Iterator<Item = Bytes> {
    let close = barrage_ws::server::close(refusal.code.close(), &refusal.message);
    let json = serde_json::to_vec(&ServerFrame::Error(refusal)).expect("frames are plain data");
    let refused = (json.len() <= CLOSE_BYTES / 2).then(|| encode(&json, encoding));
    refused.into_iter().chain([close])
}
