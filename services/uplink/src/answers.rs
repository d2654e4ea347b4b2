//! Memory for large answers, bounded over all requests: a client that asks for a page and reads
//! nothing of it takes from a pool that is soon empty, and not from the process.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::Code;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest wait for memory; then the request is refused.
const WAIT: Duration = Duration::from_secs(1);
/// When a request that was refused should come back.
const RETRY_MS: u64 = 2_000;
/// One permit stands for so many bytes.
const UNIT_BYTES: usize = 1_024;

/// The pool.
#[derive(Debug)]
pub(crate) struct Answers {
    units: Arc<Semaphore>,
    /// Largest single answer, in bytes.
    bytes_max: usize,
}

/// Memory for one answer.
#[derive(Debug)]
pub(crate) struct Reserved(OwnedSemaphorePermit);

/// An answer that holds its memory until the last byte of it was written or dropped.
struct Held {
    bytes: Vec<u8>,
    _units: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answers {
    /// A pool of `total_bytes` for answers of at most `bytes_max` each.
    pub(crate) fn new(total_bytes: usize, bytes_max: usize) -> Self {
        let total = total_bytes.max(bytes_max).div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Answers { units: Arc::new(Semaphore::new(total)), bytes_max }
    }

    /// Largest single answer, in bytes.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Reserves memory for the largest answer; refuses when there is none for a second.
    pub(crate) async fn reserve(&self) -> Result<Reserved, ApiError> {
        let units = u32::try_from(self.bytes_max.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let waiting = Arc::clone(&self.units).acquire_many_owned(units);
        match tokio::time::timeout(WAIT, waiting).await {
            Ok(Ok(permit)) => Ok(Reserved(permit)),
            Ok(Err(_)) | Err(_) => {
                let message = "too many large answers are under way; come back later";
                Err(ApiError::new(Code::Overloaded, message).retry_after_ms(RETRY_MS))
            }
        }
    }
}

impl Reserved {
    /// Gives back what the answer does not need and ties the rest to its bytes.
    pub(crate) fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        let needed = bytes.capacity().div_ceil(UNIT_BYTES);
        drop(self.0.split(self.0.num_permits().saturating_sub(needed)));
        Bytes::from_owner(Held { bytes, _units: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_that_nobody_reads_never_take_more_than_the_pool() {
        let answers = Answers::new(64 * 1_024, 16 * 1_024);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(answers.reserve().await.unwrap().hold(vec![0; 16 * 1_024]));
        }
        let refusal = answers.reserve().await.unwrap_err().0;
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Overloaded, Some(RETRY_MS)));
        let part = held.pop().unwrap().slice(..1);
        assert!(answers.reserve().await.is_err(), "a part that is still to be written holds it all");
        drop(part);
        let small = answers.reserve().await.unwrap().hold(vec![0; 1_000]);
        assert_eq!(answers.units.available_permits(), 15, "an answer takes what it needs");
        drop((small, held));
        assert_eq!(answers.units.available_permits(), 64);
    }
}
