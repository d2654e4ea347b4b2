//! One frame of mail on its way to viewers: encoded once for each encoding.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::socket::{Encoding, encode};

/// A frame of mail, shared by all viewers that get it.
#[derive(Debug)]
pub(crate) struct Letter {
    json: Bytes,
    text: OnceLock<Bytes>,
    deflated: OnceLock<Bytes>,
    lines: OnceLock<Bytes>,
}

impl Letter {
    /// Takes the JSON of a frame.
    pub(crate) const fn new(json: Bytes) -> Self {
        Letter { json, text: OnceLock::new(), deflated: OnceLock::new(), lines: OnceLock::new() }
    }

    /// Returns the frame as a viewer's socket takes it.
    pub(crate) fn frame(&self, encoding: Encoding) -> &Bytes {
        let encoded = match encoding {
            Encoding::Json => &self.text,
            Encoding::Deflate { .. } => &self.deflated,
            Encoding::Lines { .. } => &self.lines,
        };
        encoded.get_or_init(|| encode(&self.json, encoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_encoded_once_for_each_encoding() {
        let letter = Letter::new(format!("\"{}\"", "x".repeat(2_000)).into());
        let deflate = Encoding::Deflate { effort: 6 };
        let lines = Encoding::Lines { effort: 6 };
        for encoding in [Encoding::Json, deflate, lines] {
            assert_eq!(*letter.frame(encoding), encode(&letter.json, encoding));
            assert!(std::ptr::eq(letter.frame(encoding), letter.frame(encoding)));
        }
    }
}
