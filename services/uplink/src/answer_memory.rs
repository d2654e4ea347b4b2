//! Memory for large answers, bounded over all requests. A client that asks for pages and reads
//! nothing takes from this pool, and not from the process.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::Code;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum wait for memory; then the request is refused.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Milliseconds after which a refused request may be repeated.
const RETRY_MS: u64 = 2_000;
/// Bytes that one permit of the semaphore stands for.
const UNIT_BYTES: usize = 1_024;

/// A pool of bytes that large answers reserve before they are built.
#[derive(Debug)]
pub(crate) struct AnswerMemory {
    units: Arc<Semaphore>,
    answer_bytes_max: usize,
}

/// Memory reserved for one answer; dropping it gives the memory back.
#[derive(Debug)]
pub(crate) struct Reserved(OwnedSemaphorePermit);

/// An answer that holds its memory until its last byte was written or dropped.
struct Held {
    bytes: Vec<u8>,
    _units: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AnswerMemory {
    /// Makes a pool of `total_bytes` for answers of at most `answer_bytes_max` each.
    pub(crate) fn new(total_bytes: usize, answer_bytes_max: usize) -> Self {
        let total = total_bytes.max(answer_bytes_max).div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        AnswerMemory { units: Arc::new(Semaphore::new(total)), answer_bytes_max }
    }

    pub(crate) fn answer_bytes_max(&self) -> usize {
        self.answer_bytes_max
    }

    /// Reserves memory for the largest answer.
    ///
    /// # Errors
    /// `overloaded`, when no memory becomes free for a second.
    pub(crate) async fn reserve(&self) -> Result<Reserved, ApiError> {
        let units = u32::try_from(self.answer_bytes_max.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let waiting = Arc::clone(&self.units).acquire_many_owned(units);
        match tokio::time::timeout(WAIT_MAX, waiting).await {
            Ok(Ok(permit)) => Ok(Reserved(permit)),
            Ok(Err(_)) | Err(_) => {
                let message = "too many large answers are under way; come back later";
                Err(ApiError::new(Code::Overloaded, message).retry_after_ms(RETRY_MS))
            }
        }
    }
}

impl Reserved {
    /// Gives back the memory beyond a number of bytes.
    pub(crate) fn keep(&mut self, bytes: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(bytes.div_ceil(UNIT_BYTES))));
    }

    /// Gives back the memory that the answer does not need, and ties the rest to its bytes.
    pub(crate) fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        self.keep(bytes.capacity());
        Bytes::from_owner(Held { bytes, _units: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unread_answers_never_take_more_than_the_pool() {
        let memory = AnswerMemory::new(64 * 1_024, 16 * 1_024);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(memory.reserve().await.unwrap().hold(vec![0; 16 * 1_024]));
        }
        let refusal = memory.reserve().await.unwrap_err().0;
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Overloaded, Some(RETRY_MS)));
        let part = held.pop().unwrap().slice(..1);
        assert!(memory.reserve().await.is_err(), "a part that is still to be written holds the whole");
        drop(part);
        let small = memory.reserve().await.unwrap().hold(vec![0; 1_000]);
        assert_eq!(memory.units.available_permits(), 15, "an answer holds the memory that it needs");
        drop((small, held));
        assert_eq!(memory.units.available_permits(), 64);
    }
}
