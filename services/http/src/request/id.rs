//! The id of each request, for logs and for clients that report a failure.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// Makes request ids of 16 hexadecimal digits. The first eight differ from process to process.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        RequestIds { process: u32::try_from(random >> 32).unwrap_or(0), next: AtomicU64::new(1) }
    }

    pub(crate) fn next(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff;
        let text = format!("{:08x}{number:08x}", self.process);
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
    }
}
