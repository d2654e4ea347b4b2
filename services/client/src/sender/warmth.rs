//! The connection that is kept open for the next post.

use std::time::Duration;

use barrage_tls::reason;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::attempt;
use crate::http::{HttpPool, POSTS_IDLE};

/// Time for which an unused connection counts as open.
pub(super) const KEPT: Duration = POSTS_IDLE;

/// Last use of the uplink's connection: a post or a ping that was answered.
#[derive(Debug, Default)]
pub(super) struct Warmth(Mutex<Option<Used>>);

#[derive(Debug)]
struct Used {
    uplink: String,
    at: Instant,
}

impl Warmth {
    /// Whether the connection to this uplink is open by a use that is not long ago.
    pub(super) fn is_open(&self, uplink: &str, now: Instant) -> bool {
        let used = self.0.lock();
        used.as_ref().is_some_and(|used| used.uplink == uplink && now.duration_since(used.at) < KEPT)
    }

    /// Notes an answer of this uplink.
    pub(super) fn used(&self, uplink: &str, at: Instant) {
        *self.0.lock() = Some(Used { uplink: uplink.to_owned(), at });
    }

    /// Notes that this uplink did not answer: the next ping asks again.
    pub(super) fn lost(&self, uplink: &str) {
        let mut used = self.0.lock();
        if used.as_ref().is_some_and(|used| used.uplink == uplink) {
            *used = None;
        }
    }
}

/// Asks the uplink for an empty answer. Any answer shows that the connection is open: an older uplink has
/// no such resource.
pub(super) async fn ping(pool: &HttpPool, uplink: &str) -> Result<(), String> {
    let request = pool.http.get(format!("{uplink}/v1/ping"));
    let response = pool.send(request).await.map_err(|error| reason(&error.without_url()))?;
    // An answer that was read to its end leaves the connection to the next request.
    match attempt::read(response).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("the answer is too large".into()),
        Err(error) => Err(reason(&error.without_url())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_open_for_its_uplink_until_it_is_kept_no_longer() {
        let (warmth, now) = (Warmth::default(), Instant::now());
        assert!(!warmth.is_open("a", now));
        warmth.used("a", now);
        assert!(warmth.is_open("a", now) && !warmth.is_open("b", now));
        assert!(!warmth.is_open("a", now + KEPT));
        warmth.lost("b");
        assert!(warmth.is_open("a", now));
        warmth.lost("a");
        assert!(!warmth.is_open("a", now));
    }
}
