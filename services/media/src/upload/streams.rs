//! Requests that add bytes at the same time, by user.

use std::collections::HashMap;
use std::sync::Arc;

use barrage_protocol::UserId;
use parking_lot::Mutex;

/// Kind of the upload that a request adds bytes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StreamKind {
    Whole,
    Part,
}

/// Counts running requests of each user. There is one count for each user and kind with a running request, so that the
/// connections of the server bound the counts.
#[derive(Debug)]
pub(crate) struct Streams {
    whole_max: usize,
    parts_max: usize,
    running: Mutex<HashMap<(UserId, StreamKind), usize>>,
}

/// The place of one running request, freed on drop.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    streams: Arc<Streams>,
    key: (UserId, StreamKind),
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut running = self.streams.running.lock();
        if let Some(count) = running.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.key);
            }
        }
    }
}

impl Streams {
    pub(crate) fn new(whole_max: usize, parts_max: usize) -> Arc<Self> {
        Arc::new(Streams { whole_max, parts_max, running: Mutex::default() })
    }

    /// Takes a place, or returns the number of places when all are taken.
    pub(crate) fn take(self: &Arc<Self>, user: &UserId, kind: StreamKind) -> Result<StreamPermit, usize> {
        let max = match kind {
            StreamKind::Whole => self.whole_max,
            StreamKind::Part => self.parts_max,
        };
        let key = (user.clone(), kind);
        let mut running = self.running.lock();
        let count = running.entry(key.clone()).or_default();
        if *count >= max {
            return Err(max);
        }
        *count += 1;
        drop(running);
        Ok(StreamPermit { streams: Arc::clone(self), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_has_places_of_each_kind_and_gets_them_back() {
        let streams = Streams::new(2, 3);
        let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let mut kept = vec![
            streams.take(&ann, StreamKind::Whole).unwrap(),
            streams.take(&ann, StreamKind::Whole).unwrap(),
        ];
        assert_eq!(streams.take(&ann, StreamKind::Whole).unwrap_err(), 2);
        kept.push(streams.take(&ann, StreamKind::Part).unwrap());
        kept.push(streams.take(&bob, StreamKind::Whole).unwrap());
        kept.remove(0);
        kept.push(streams.take(&ann, StreamKind::Whole).unwrap());
        drop(kept);
        assert!(streams.running.lock().is_empty(), "no count without a request");
    }
}
