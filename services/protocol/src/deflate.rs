//! The deflated wire encoding: one raw deflate stream per frame, which a
//! browser opens with `DecompressionStream("deflate-raw")`.

use std::io::{Read, Write};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

/// Frames of a deflated connection below this size travel as plain text frames:
/// deflate has nothing to gain there.
pub const DEFLATE_BYTES_MIN: usize = 256;

/// Why a frame could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// Not a raw deflate stream.
    #[error("not a raw deflate stream")]
    Corrupt(#[source] std::io::Error),
    /// Opens to more than the caller allows.
    #[error("opens to more than {0} bytes")]
    TooLarge(usize),
}

/// Deflates `bytes` with an effort of 0 (none) to 9.
#[must_use]
pub fn deflate(bytes: &[u8], effort: u32) -> Vec<u8> {
    let sink = Vec::with_capacity(bytes.len() / 3 + 64);
    let mut encoder = DeflateEncoder::new(sink, Compression::new(effort.min(9)));
    encoder.write_all(bytes).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

/// Opens a raw deflate stream of at most `bytes_max` opened bytes.
pub fn inflate(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let mut reader = DeflateDecoder::new(bytes).take(bytes_max as u64 + 1);
    reader.read_to_end(&mut out).map_err(InflateError::Corrupt)?;
    if out.len() > bytes_max {
        return Err(InflateError::TooLarge(bytes_max));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let bomb = deflate(&vec![0; 1 << 20], 9);
        assert!(bomb.len() < 2048);
        assert!(matches!(inflate(&bomb, 4096), Err(InflateError::TooLarge(4096))));
        assert_eq!(inflate(&deflate(b"abc", 6), 3).unwrap(), b"abc");
    }
}
