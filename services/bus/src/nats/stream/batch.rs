//! Headers of an atomic batch, of which the server stores all messages or none.

use async_nats::HeaderMap;
use async_nats::header::{NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE};

/// Numbers the messages of one atomic batch.
pub(crate) struct Batch {
    id: String,
    number: u64,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Batch { id: format!("{:032x}", rand::random::<u128>()), number: 0 }
    }

    /// Adds the headers of a message that others follow.
    pub(crate) fn next(&mut self, mut headers: HeaderMap) -> HeaderMap {
        self.number += 1;
        headers.insert(NATS_BATCH_ID, self.id.as_str());
        headers.insert(NATS_BATCH_SEQUENCE, self.number.to_string());
        headers
    }

    /// Adds the headers of the last message, which the server acknowledges for all.
    pub(crate) fn last(mut self, headers: HeaderMap) -> HeaderMap {
        let mut headers = self.next(headers);
        headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        headers
    }
}
