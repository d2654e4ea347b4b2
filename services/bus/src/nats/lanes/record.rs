//! What the stream holds for one append: a record with all its events, so that it is stored whole or not.

use async_nats::HeaderMap;
use barrage_protocol::Sequence;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::lanes::{LANE_APPEND_MAX, LaneDraft, LaneEntry};

/// Header with the sizes of the bodies, which follow each other in the payload.
const SIZES: &str = "Barrage-Sizes";
/// Header with the hashes of the events.
const FINGERPRINTS: &str = "Barrage-Fingerprints";
/// Header with the time of acceptance.
const AT_MS: &str = "Barrage-At";
/// Positions of one record: its place in the stream and the place of the event in it make a position.
const PLACES: u64 = LANE_APPEND_MAX as u64;

/// Returns the position of the event at a place of a record.
pub(super) fn position(record: u64, place: usize) -> Sequence {
    Sequence(record * PLACES + place as u64)
}

/// Returns the record of a position.
pub(super) fn record_of(position: Sequence) -> u64 {
    position.0 / PLACES
}

/// Returns the greatest position of a record.
pub(super) fn last_of(record: u64) -> Sequence {
    Sequence(record * PLACES + (PLACES - 1))
}

/// Returns headers and payload of an append.
pub(super) fn write(drafts: &[LaneDraft], at_ms: u64) -> (HeaderMap, Bytes) {
    let joined = |of: fn(&LaneDraft) -> String| drafts.iter().map(of).collect::<Vec<_>>().join(",");
    let mut headers = HeaderMap::new();
    headers.insert(SIZES, joined(|draft| draft.body.len().to_string()));
    headers.insert(FINGERPRINTS, joined(|draft| format!("{:x}", draft.fingerprint)));
    headers.insert(AT_MS, at_ms.to_string());
    let mut payload = BytesMut::with_capacity(drafts.iter().map(|draft| draft.body.len()).sum());
    for draft in drafts {
        payload.extend_from_slice(&draft.body);
    }
    (headers, payload.freeze())
}

/// Returns an id of the append for the servers: of all keys; `None` when an event has none.
pub(super) fn message_id(drafts: &[LaneDraft]) -> Option<String> {
    let mut hash = Sha256::new();
    for draft in drafts {
        // A line feed is in no key of the uplink; a key with one can only make an id of its own.
        hash.update(draft.key.as_ref()?.as_bytes());
        hash.update("\n");
    }
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns whether a record is that of the same events.
pub(super) fn is_same(record: &HeaderMap, written: &HeaderMap) -> bool {
    let hashes = |headers: &HeaderMap| headers.get(FINGERPRINTS).map(ToString::to_string);
    hashes(record) == hashes(written)
}

/// Reads the events of a record; `None` for a message that Barrage did not write.
pub(super) fn read(record: u64, headers: &HeaderMap, payload: &Bytes) -> Option<Vec<LaneEntry>> {
    let at_ms = headers.get(AT_MS)?.as_str().parse().ok()?;
    let mut from = 0_usize;
    let mut entries = Vec::new();
    for (place, size) in headers.get(SIZES)?.as_str().split(',').enumerate() {
        let end = from.checked_add(size.parse().ok()?).filter(|end| *end <= payload.len())?;
        entries.push(LaneEntry { sequence: position(record, place), at_ms, body: payload.slice(from..end) });
        from = end;
    }
    (from == payload.len() && entries.len() <= LANE_APPEND_MAX).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(key: Option<&str>, body: &str) -> LaneDraft {
        LaneDraft { key: key.map(Into::into), fingerprint: 7, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn record_is_read_as_it_was_written() {
        let drafts = [draft(None, "one"), draft(None, ""), draft(None, "\u{5f39}")];
        let (headers, payload) = write(&drafts, 9);
        let entries = read(3, &headers, &payload).unwrap();
        let read: Vec<_> =
            entries.iter().map(|entry| (entry.sequence.0, entry.at_ms, &entry.body[..])).collect();
        assert_eq!(read, [(192, 9, &b"one"[..]), (193, 9, b""), (194, 9, "\u{5f39}".as_bytes())]);
        assert_eq!((record_of(Sequence(194)), record_of(Sequence(191))), (3, 2));
        assert_eq!(last_of(2), Sequence(191));
    }

    #[test]
    fn record_of_somebody_else_is_not_read() {
        let (headers, payload) = write(&[draft(None, "one")], 9);
        assert!(read(1, &HeaderMap::new(), &payload).is_none());
        for cut in [Bytes::new(), Bytes::from_static(b"on"), Bytes::from_static(b"onetwo")] {
            assert!(read(1, &headers, &cut).is_none());
        }
        for sizes in ["", "x", "-1", "18446744073709551615,4"] {
            let mut headers = headers.clone();
            headers.insert(SIZES, sizes);
            assert!(read(1, &headers, &payload).is_none(), "{sizes:?}");
        }
    }

    #[test]
    fn message_id_is_that_of_all_keys() {
        let id =
            |keys: &[Option<&str>]| message_id(&keys.iter().map(|key| draft(*key, "x")).collect::<Vec<_>>());
        assert_eq!(id(&[Some("a"), Some("b")]), id(&[Some("a"), Some("b")]));
        assert_ne!(id(&[Some("a"), Some("b")]), id(&[Some("ab")]));
        assert_eq!(id(&[Some("a"), None]), None);
    }
}
