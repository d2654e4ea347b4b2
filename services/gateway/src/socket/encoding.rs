use barrage_protocol::WireEncoding;
use barrage_protocol::deflate::{DEFLATE_BYTES_MIN, deflate};
use barrage_protocol::lines::JSON_FRAME;
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
    /// Batches as deflated lines, which refer to earlier lines; other frames as with `Deflate`.
    Lines {
        /// Compression effort of deflate, 1 (fast) to 9 (small).
        effort: u8,
    },
}

impl Encoding {
    /// Returns the encoding of a subprotocol, with the effort for frames that are no batches.
    pub(crate) fn of(encoding: WireEncoding, effort: u8) -> Self {
        match encoding {
            WireEncoding::Json => Encoding::Json,
            WireEncoding::Deflate => Encoding::Deflate { effort },
            WireEncoding::Lines => Encoding::Lines { effort },
        }
    }

    /// Whether batches travel as lines.
    pub(crate) fn is_lines(self) -> bool {
        matches!(self, Encoding::Lines { .. })
    }

    /// Returns this encoding with another effort.
    pub(crate) fn with_effort(self, effort: u8) -> Self {
        match self {
            Encoding::Json => Encoding::Json,
            Encoding::Deflate { .. } => Encoding::Deflate { effort },
            Encoding::Lines { .. } => Encoding::Lines { effort },
        }
    }

    /// Makes the WebSocket frame of a JSON frame that was deflated.
    pub(crate) fn binary(self, deflated: &[u8]) -> Bytes {
        match self {
            Encoding::Json | Encoding::Deflate { .. } => server::binary(deflated),
            Encoding::Lines { .. } => server::binary(&[&[JSON_FRAME], deflated].concat()),
        }
    }
}

/// Encodes a frame's JSON as a WebSocket frame.
pub(crate) fn encode(json: &[u8], encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Deflate { effort } | Encoding::Lines { effort } if json.len() >= DEFLATE_BYTES_MIN => {
            encoding.binary(&deflate(json, effort.into()))
        }
        Encoding::Json | Encoding::Deflate { .. } | Encoding::Lines { .. } => server::text(json),
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
        let lines = encode(&long, Encoding::Lines { effort: 6 });
        assert_eq!((lines[2], lines.len()), (JSON_FRAME, frame.len() + 1), "marked as JSON");
    }
}
