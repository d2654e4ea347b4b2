//! Whether a request may add bytes to an upload.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use super::head::UploadHead;

/// What has arrived of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes from the start on.
    pub(crate) bytes: u64,
    /// Whether the upload takes no further byte.
    pub(crate) has_all: bool,
}

/// Checks the offset that a request names, and the length of its body if the request states it. `length` is that of the
/// whole upload, or the bytes that are reserved for it. Returns the bytes that may arrive.
pub(crate) fn check_patch(
    head: &UploadHead,
    length: u64,
    received: Received,
    offset: u64,
    body_bytes: Option<u64>,
) -> Result<u64, Refusal> {
    if !head.parts.is_empty() {
        let message = "this upload was joined from parts; it takes no bytes of its own";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    if offset != received.bytes {
        let message = format!(
            "the upload has {} bytes and the request begins at {offset}; ask for the offset with HEAD",
            received.bytes
        );
        return Err(Refusal::new(Code::Conflict, message));
    }
    let left = length.saturating_sub(received.bytes);
    if body_bytes.is_some_and(|bytes| bytes > left) {
        let message = format!("the upload takes {left} more bytes; it has {length} in all");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    if received.has_all && body_bytes != Some(0) {
        return Err(Refusal::new(Code::Conflict, "the upload has all its bytes"));
    }
    Ok(left)
}

/// Checks the length that a request states for an upload that was created without one.
pub(crate) fn check_length(length: u64, received: Received, reserved: u64) -> Result<(), Refusal> {
    if length == 0 || length < received.bytes {
        let message =
            format!("Upload-Length: the upload has {} bytes already, and at least one", received.bytes);
        return Err(Refusal::new(Code::BadRequest, message));
    }
    if length > reserved {
        let message = format!("an upload that was created without a length may have {reserved} bytes");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::upload::{Metadata, UploadId};

    fn head(length: u64) -> UploadHead {
        UploadHead {
            id: UploadId::new([0; 16]),
            user: "ann".parse().unwrap(),
            length,
            is_deferred: false,
            metadata: Metadata::default(),
            is_part: false,
            parts: Vec::new(),
            created_ms: 0,
            address: None,
            expires_ms: 0,
        }
    }

    fn code(length: u64, bytes: u64, offset: u64, body: Option<u64>) -> Option<Code> {
        let received = Received { bytes, has_all: bytes == length };
        check_patch(&head(length), length, received, offset, body).err().map(|refusal| refusal.code)
    }

    #[test]
    fn length_that_is_stated_late_is_no_less_than_what_is_there_and_no_more_than_is_reserved() {
        let check = |length| {
            check_length(length, Received { bytes: 50, has_all: false }, 100).err().map(|it| it.code)
        };
        assert_eq!((check(50), check(100)), (None, None));
        assert_eq!(
            (check(49), check(0), check(101)),
            (Some(Code::BadRequest), Some(Code::BadRequest), Some(Code::TooLarge))
        );
    }

    #[test]
    fn offset_behind_ahead_and_beyond_the_end_is_refused() {
        assert_eq!(code(100, 50, 50, Some(50)), None);
        assert_eq!(code(100, 50, 50, None), None, "a body without a stated length");
        assert_eq!(code(100, 50, 49, Some(1)), Some(Code::Conflict));
        assert_eq!(code(100, 50, 51, Some(1)), Some(Code::Conflict));
        assert_eq!(code(100, 50, u64::MAX >> 1, Some(1)), Some(Code::Conflict));
        assert_eq!(code(100, 50, 50, Some(51)), Some(Code::TooLarge));
        assert_eq!(code(100, 50, 50, Some(u64::MAX)), Some(Code::TooLarge));
        assert_eq!(
            code(100, 100, 100, Some(0)),
            None,
            "an empty request at the end asks whether all is there"
        );
        assert_eq!(code(100, 100, 100, None), Some(Code::Conflict));
        assert_eq!(code(100, 100, 100, Some(1)), Some(Code::TooLarge));
    }

    #[test]
    fn joined_upload_takes_no_bytes() {
        let joined = UploadHead { parts: vec![UploadId::new([1; 16])], ..head(10) };
        let refused = check_patch(&joined, 10, Received { bytes: 10, has_all: true }, 10, Some(0));
        assert_eq!(refused.unwrap_err().code, Code::Forbidden);
    }

    proptest! {
        /// Whatever requests come in whatever order, the accepted ones lie end to end and stop at the length.
        #[test]
        fn accepted_requests_are_one_row_of_bytes(
            length in 1_u64..500,
            requests in proptest::collection::vec((0_u64..600, 0_u64..300, any::<bool>()), 0..60),
        ) {
            let head = head(length);
            let mut row: Vec<(u64, u64)> = Vec::new();
            let mut bytes = 0;
            for (offset, body, states_length) in requests {
                let received = Received { bytes, has_all: bytes == length };
                let stated = states_length.then_some(body);
                if let Ok(left) = check_patch(&head, length, received, offset, stated) {
                    let taken = body.min(left);
                    prop_assert!(!states_length || taken == body);
                    row.push((offset, taken));
                    bytes += taken;
                }
            }
            let mut end = 0;
            for (offset, taken) in row {
                prop_assert_eq!(offset, end);
                end += taken;
            }
            prop_assert_eq!(end, bytes);
            prop_assert!(bytes <= length);
        }
    }
}
