//! Ids of the load tester's messages. An id carries the intended send time of its message.

use crate::clock::Moment;

const PREFIX: &str = "lt.";

/// Source of the message ids of one thread, which carry the intended send time.
#[derive(Debug)]
pub(crate) struct Marker {
    run: u64,
    shard: u32,
    count: u64,
}

impl Marker {
    pub(crate) fn new(run: u64, shard: u32) -> Self {
        Marker { run, shard, count: 0 }
    }

    /// Returns a new id that carries the intended send time.
    pub(crate) fn next(&mut self, intended: Moment) -> String {
        self.count += 1;
        format!("{PREFIX}{}.{:x}.{:x}.{:x}", intended.0, self.run & 0xffff_ffff, self.shard, self.count)
    }
}

/// Returns the intended send time in an id; `None` for an id of another sender.
pub(crate) fn intended(id: &str) -> Option<Moment> {
    let (nanoseconds, _) = id.strip_prefix(PREFIX)?.split_once('.')?;
    nanoseconds.parse().ok().map(Moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_is_a_valid_id_and_carries_its_time() {
        let mut marker = Marker::new(u64::MAX, u32::MAX);
        let id = marker.next(Moment(u64::MAX));
        assert!(barrage_protocol::MessageId::parse(&id).is_ok(), "{id}");
        assert_eq!(intended(&id), Some(Moment(u64::MAX)));
        assert_ne!(marker.next(Moment(u64::MAX)), id);
        assert_eq!(intended("c-1"), None);
    }
}
