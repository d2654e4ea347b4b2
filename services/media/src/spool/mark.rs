//! The mark of an upload: how many bytes are synced, and the state of SHA-256 after them.
//!
//! The file has two slots. A write goes to the older one, so that a crash in the middle of a write leaves the newer one
//! as it was. A slot that is torn does not agree with its own hash, and counts as empty.

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha256};

/// Bytes of one slot in the file.
pub(crate) const SLOT_BYTES: usize = 256;
/// Bytes before the state of the hash: sequence, bytes, length of the state.
const HEAD_BYTES: usize = 8 + 8 + 2;
/// Bytes at the end of a slot: the start of SHA-256 over the rest.
const SUM_BYTES: usize = 16;

/// Bytes from the start of an upload on, with the running hash over them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    pub(crate) hash: Sha256,
}

/// Writes a slot. A larger sequence is newer.
pub(crate) fn encode(sequence: u64, progress: &Progress) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let state = progress.hash.serialize();
    slot[..8].copy_from_slice(&sequence.to_be_bytes());
    slot[8..16].copy_from_slice(&progress.bytes.to_be_bytes());
    let state_bytes = u16::try_from(state.len()).unwrap_or(u16::MAX);
    slot[16..HEAD_BYTES].copy_from_slice(&state_bytes.to_be_bytes());
    slot[HEAD_BYTES..][..state.len()].copy_from_slice(&state);
    let sum = sum(&slot);
    slot[SLOT_BYTES - SUM_BYTES..].copy_from_slice(&sum);
    slot
}

/// Reads a slot; `None` for an empty or torn one.
fn decode(slot: &[u8]) -> Option<(u64, Progress)> {
    let slot: &[u8; SLOT_BYTES] = slot.try_into().ok()?;
    if slot[SLOT_BYTES - SUM_BYTES..] != sum(slot) {
        return None;
    }
    let number = |at: usize| slot[at..at + 8].try_into().map(u64::from_be_bytes).ok();
    let state_bytes = usize::from(u16::from_be_bytes([slot[16], slot[17]]));
    let state = slot.get(HEAD_BYTES..HEAD_BYTES.checked_add(state_bytes)?)?;
    let hash = Sha256::deserialize(state.try_into().ok()?).ok()?;
    Some((number(0)?, Progress { bytes: number(8)?, hash }))
}

/// Returns the newer of the slots of a file with its sequence; the start of an upload when there is none.
pub(crate) fn newest(file: &[u8]) -> (u64, Progress) {
    let slots = file.chunks(SLOT_BYTES).take(2).filter_map(decode);
    slots.max_by_key(|(sequence, _)| *sequence).unwrap_or_default()
}

/// Returns the place in the file of a slot with this sequence.
pub(crate) const fn place(sequence: u64) -> u64 {
    (sequence % 2) * SLOT_BYTES as u64
}

fn sum(slot: &[u8; SLOT_BYTES]) -> [u8; SUM_BYTES] {
    let hash = Sha256::digest(&slot[..SLOT_BYTES - SUM_BYTES]);
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&hash[..SUM_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn progress(bytes: &[u8]) -> Progress {
        let mut progress = Progress { bytes: bytes.len() as u64, ..Progress::default() };
        progress.hash.update(bytes);
        progress
    }

    fn put(file: &mut Vec<u8>, sequence: u64, slot: &[u8]) {
        let at = usize::try_from(place(sequence)).unwrap();
        file.resize(file.len().max(at + slot.len()), 0);
        file[at..at + slot.len()].copy_from_slice(slot);
    }

    #[test]
    fn hash_goes_on_after_a_mark_as_if_it_had_never_stopped() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|n| (n % 251) as u8).collect();
        for at in [0, 1, 63, 64, 65, 999, 1_000] {
            let mut file = Vec::new();
            put(&mut file, 1, &encode(1, &progress(&bytes[..at])));
            let (sequence, mut read) = newest(&file);
            read.hash.update(&bytes[at..]);
            assert_eq!((sequence, read.bytes), (1, at as u64));
            assert_eq!(read.hash.finalize(), Sha256::digest(&bytes), "{at}");
        }
    }

    proptest! {
        /// Whatever a crash leaves of the last write, the mark is the one before or the last one.
        #[test]
        fn torn_write_leaves_the_mark_before_it(
            writes in 1_u64..20,
            torn in 0_usize..=SLOT_BYTES,
            garbage in any::<u8>(),
        ) {
            let bytes = vec![7; 4_096];
            let at = |sequence: u64| progress(&bytes[..usize::try_from(sequence * 100).unwrap()]);
            let mut file = Vec::new();
            for sequence in 1..=writes {
                put(&mut file, sequence, &encode(sequence, &at(sequence)));
            }
            let last = encode(writes + 1, &at(writes + 1));
            let mut written = last;
            written[torn..].fill(garbage);
            put(&mut file, writes + 1, &written);
            let (sequence, read) = newest(&file);
            let expected = if written == last { writes + 1 } else { writes };
            prop_assert_eq!(sequence, expected);
            prop_assert_eq!(read.bytes, expected * 100);
            prop_assert_eq!(read.hash.finalize(), at(expected).hash.finalize());
        }

        /// Any bytes in the file are read without a panic.
        #[test]
        fn any_file_is_read(file in proptest::collection::vec(any::<u8>(), 0..700)) {
            let (sequence, _) = newest(&file);
            prop_assert_eq!(sequence, 0, "no made-up mark verifies");
        }
    }
}
