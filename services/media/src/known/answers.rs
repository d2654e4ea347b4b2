//! The answers to the challenges of a medium, kept beside it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use barrage_protocol::Digest;
use barrage_protocol::digest::hex;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::challenge::{CHALLENGES, challenge, kept};

/// Name of the blob with the answers.
pub(crate) const ANSWERS: &str = "answers.json";

/// Hashes of the answers, by the index of their challenge; `None` for one that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answers {
    length: u64,
    hashes: Vec<Option<String>>,
}

impl Answers {
    /// Computes the answers for a file of this digest. Blocks.
    pub(crate) fn of_file(secret: &hmac::Key, digest: Digest, file: &Path) -> std::io::Result<Self> {
        let file = File::open(file)?;
        let length = file.metadata()?.len();
        let hash = |index| {
            let answer = challenge(secret, digest, length, index).answer(|range| {
                let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or_default()];
                file.read_exact_at(&mut bytes, range.start)?;
                std::io::Result::Ok(bytes)
            })?;
            std::io::Result::Ok(Some(hex(&kept(&answer))))
        };
        Ok(Answers { length, hashes: (0..CHALLENGES).map(hash).collect::<Result<_, _>>()? })
    }

    /// Returns the challenges whose answers were not given, for a file of this length.
    pub(crate) fn open(&self, length: u64) -> Vec<u8> {
        let open =
            (0..CHALLENGES).zip(&self.hashes).filter(|(_, hash)| hash.is_some() && length == self.length);
        open.map(|(index, _)| index).collect()
    }

    /// Takes a right answer, which is good once.
    pub(crate) fn take(&mut self, index: u8, answer: &[u8]) -> bool {
        let Some(hash) = self.hashes.get_mut(usize::from(index)) else { return false };
        // Hashes are compared, whose bytes an answer cannot choose one by one.
        let is_right = hash.as_ref().is_some_and(|hash| *hash == hex(&kept(answer)));
        if is_right {
            *hash = None;
        }
        is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answer_is_good_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, digest) = (folder.path().join("file"), Digest::new([5; 32]));
        let bytes = b"a short file that is asked for whole";
        std::fs::write(&file, bytes).unwrap();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let mut answers = Answers::of_file(&secret, digest, &file).unwrap();
        let length = bytes.len() as u64;
        assert_eq!((answers.open(length).len(), answers.open(length + 1).len()), (16, 0));
        let right = challenge(&secret, digest, length, 7).answer(|_| Ok::<_, ()>(bytes.to_vec())).unwrap();
        assert!(!answers.take(6, &right) && !answers.take(7, &right[..31]) && !answers.take(200, &right));
        assert!(answers.take(7, &right));
        assert!(!answers.take(7, &right), "twice");
        assert_eq!(answers.open(length).len(), 15);
    }
}
