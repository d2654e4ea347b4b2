//! Signed cursors: opaque to clients, and of this inbox alone.

use barrage_inbox::{Cursor, CursorError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// Bytes of the signature in a cursor. Who guesses one gets its own inbox and no other's.
const TAG_BYTES: usize = 8;
/// Longest text that is examined.
const TEXT_BYTES_MAX: usize = 8_192;

/// Signs cursors with the secret of the inbox, so that all uplinks accept them.
pub(super) struct CursorKey(hmac::Key);

impl CursorKey {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        CursorKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the text of a cursor, for answers.
    pub(super) fn sign(&self, cursor: &Cursor) -> String {
        let text = cursor.to_string();
        let tag = hmac::sign(&self.0, text.as_bytes());
        let mut bytes = tag.as_ref()[..TAG_BYTES].to_vec();
        bytes.extend_from_slice(text.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Parses the text of a cursor.
    pub(super) fn parse(&self, text: &str) -> Result<Cursor, CursorError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (tag, text) = bytes.split_at_checked(TAG_BYTES).ok_or(CursorError)?;
        let expected = hmac::sign(&self.0, text);
        // The comparison takes longer for a longer common beginning, which helps nobody: a forged cursor
        // shows the forger's own inbox.
        if expected.as_ref()[..TAG_BYTES] != *tag {
            return Err(CursorError);
        }
        Cursor::parse(std::str::from_utf8(text).map_err(|_| CursorError)?)
    }
}

#[cfg(test)]
mod tests {
    use barrage_inbox::Version;
    use barrage_protocol::{Sequence, UserId};

    use super::*;

    #[test]
    fn cursor_of_another_inbox_and_a_changed_one_are_refused() {
        let user = UserId::parse("ann").unwrap();
        let cursor = Cursor::new(&user, Version(812), vec![Sequence(9)]);
        let (key, other) = (CursorKey::new(&[1; 32]), CursorKey::new(&[2; 32]));
        let text = key.sign(&cursor);
        assert_eq!(key.parse(&text), Ok(cursor));
        assert_eq!(other.parse(&text), Err(CursorError));
        assert!(text.len() <= 64, "{text}");
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.parse(std::str::from_utf8(&changed).unwrap()), Err(CursorError), "{place}");
        }
        for bad in ["", "x", "AAAAAAAAAAAA", "\u{5f39}\u{5e55}", &"A".repeat(9_000)] {
            assert_eq!(key.parse(bad), Err(CursorError), "{bad}");
        }
    }
}
