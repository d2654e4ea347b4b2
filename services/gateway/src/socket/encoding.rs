use barrage_protocol::deflate::{DEFLATE_BYTES_MIN, deflate};
use barrage_ws::server;
use bytes::Bytes;

/// Wire encoding of a viewer's frames, chosen by the subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON in text frames, also for clients that offer no known subprotocol.
    Json,
    /// Deflated JSON in binary frames; JSON in text frames where deflate gains nothing.
    Deflate {
        /// Compression effort of deflate, 1 (fast) to 9 (small).
        effort: u8,
    },
}

/// Encodes a frame's JSON as a WebSocket frame.
pub(crate) fn encode(json: &[u8], encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Deflate { effort } if json.len() >= DEFLATE_BYTES_MIN => {
            server::binary(&deflate(json, effort.into()))
        }
        Encoding::Json | Encoding::Deflate { .. } => server::text(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_frames_are_not_deflated() {
        let deflated = Encoding::Deflate { effort: 6 };
        let short = vec![b' '; DEFLATE_BYTES_MIN - 1];
        assert_eq!(encode(&short, deflated), encode(&short, Encoding::Json));
        let long = vec![b' '; DEFLATE_BYTES_MIN];
        let frame = encode(&long, deflated);
        assert_eq!(frame[0], 0x82, "binary");
        assert!(frame.len() < long.len());
    }
}
