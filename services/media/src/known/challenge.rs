//! The challenges of a digest: which bytes a client must have.

use std::ops::Range;

use barrage_protocol::Digest;
use ring::hmac;
use sha2::{Digest as _, Sha256};

/// Challenges of one digest. Each is good for one upload; a full upload makes all of them good again.
pub(crate) const CHALLENGES: u8 = 16;
/// Ranges of one challenge.
pub(crate) const RANGES: usize = 3;
/// Bytes of one range; a shorter file is asked for whole.
const RANGE_BYTES: u64 = 4_096;

/// Bytes that a client must have, and the nonce under which it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) nonce: [u8; 16],
    pub(crate) ranges: [Range<u64>; RANGES],
}

/// Returns one of the challenges of a digest. They follow from a secret, so that a digest that is not here has as many,
/// and no one can tell the two apart.
pub(crate) fn challenge(secret: &hmac::Key, digest: Digest, length: u64, index: u8) -> Challenge {
    let draw = |what: u8| {
        let message = [digest.as_bytes().as_slice(), &length.to_be_bytes(), &[index, what]].concat();
        let tag = hmac::sign(secret, &message);
        let mut drawn = [0; 16];
        drawn.copy_from_slice(&tag.as_ref()[..16]);
        drawn
    };
    let bytes = RANGE_BYTES.min(length);
    let ranges = [1, 2, 3].map(|what| {
        let places = u128::from(length - bytes) + 1;
        let start = u64::try_from(u128::from_be_bytes(draw(what)) % places).unwrap_or_default();
        start..start + bytes
    });
    Challenge { nonce: draw(0), ranges }
}

impl Challenge {
    /// Computes the answer: HMAC-SHA-256 under the nonce, over the ranges one after the other.
    pub(crate) fn answer<E>(
        &self,
        mut read: impl FnMut(Range<u64>) -> Result<Vec<u8>, E>,
    ) -> Result<[u8; 32], E> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.nonce);
        let mut context = hmac::Context::with_key(&key);
        for range in &self.ranges {
            context.update(&read(range.clone())?);
        }
        let mut answer = [0; 32];
        answer.copy_from_slice(context.sign().as_ref());
        Ok(answer)
    }
}

/// Returns the form of an answer that is kept: not the answer itself, so that a reader of the store cannot give it.
pub(super) fn kept(answer: &[u8]) -> [u8; 32] {
    Sha256::digest(answer).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, b"secret")
    }

    #[test]
    fn one_other_byte_in_a_range_gives_another_answer() {
        let file: Vec<u8> = (0..50_000_u32).map(|n| (n % 249) as u8).collect();
        let asked = challenge(&secret(), Digest::new([1; 32]), file.len() as u64, 3);
        let answer = |file: &[u8]| {
            let read = |range: Range<u64>| {
                let bounds = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                Ok::<_, ()>(file[bounds].to_vec())
            };
            asked.answer(read).unwrap()
        };
        let right = answer(&file);
        assert_eq!(right, answer(&file));
        for range in &asked.ranges {
            let mut other = file.clone();
            other[usize::try_from(range.start).unwrap()] ^= 1;
            assert_ne!(answer(&other), right);
        }
        assert_ne!(challenge(&secret(), Digest::new([1; 32]), 50_000, 4), asked);
        assert_ne!(challenge(&secret(), Digest::new([2; 32]), 50_000, 3), asked);
    }

    proptest! {
        /// Ranges lie inside of a file of any length.
        #[test]
        fn ranges_lie_inside_of_the_file(length in 1..=u64::MAX >> 1, small in 1_u64..10_000, index in 0..CHALLENGES) {
            for length in [length, small] {
                for range in challenge(&secret(), Digest::new([9; 32]), length, index).ranges {
                    prop_assert!(range.end <= length && range.end - range.start == length.min(4_096));
                }
            }
        }
    }
}
