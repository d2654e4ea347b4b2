//! Read places that are merged before they are written: the greatest position of a conversation counts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use barrage_inbox::{ConversationId, Event, Kind, Place, Position};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{READS_MAX, ReadPlace, ReadsAnswer};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::compose::check_position;
use super::control::InboxControl;
use super::refusals::malformed;

/// Events that are appended together.
const APPENDED: usize = 64;
/// Wait after an append that failed.
const RETRY: Duration = Duration::from_millis(500);
/// Shortest wait between two looks at what is due.
const TICK: Duration = Duration::from_millis(20);

type Key = (UserId, ConversationId);

/// Reads that wait, at most a bounded number.
pub(super) struct ReadBuffer {
    waiting: Mutex<HashMap<Key, Waiting>>,
    max: usize,
    arrived: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    position: Position,
    due: Instant,
}

/// Whether a read waits with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merged {
    Yes,
    /// The buffer is full: the read must be written at once.
    No,
}

impl ReadBuffer {
    pub(super) fn new(max: usize) -> Self {
        ReadBuffer { waiting: Mutex::default(), max, arrived: Notify::new() }
    }

    /// Adds a read. One that waits already keeps its time.
    fn add(&self, key: Key, position: Position, due: Instant) -> Merged {
        let mut waiting = self.waiting.lock();
        if let Some(known) = waiting.get_mut(&key) {
            known.position = known.position.max(position);
            return Merged::Yes;
        }
        if waiting.len() >= self.max {
            return Merged::No;
        }
        waiting.insert(key, Waiting { position, due });
        drop(waiting);
        self.arrived.notify_one();
        Merged::Yes
    }

    /// Takes what is due; everything without a time.
    fn take(&self, now: Option<Instant>) -> Vec<Place> {
        let mut waiting = self.waiting.lock();
        let is_due = |_: &Key, read: &mut Waiting| now.is_none_or(|now| read.due <= now);
        let due = waiting.extract_if(is_due).map(|((user, conversation), read)| Place {
            user,
            conversation,
            position: read.position,
        });
        due.collect()
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}

impl InboxControl {
    /// Takes reads, which are written within the answered time. They are no promise: a device that hears no more
    /// sends its newest position again.
    pub(crate) async fn read(&self, user: &UserId, reads: &[ReadPlace]) -> Result<ReadsAnswer, Refusal> {
        if reads.is_empty() || reads.len() > READS_MAX {
            return Err(malformed(format!("reads: 1 to {READS_MAX}")));
        }
        let mut parsed = Vec::with_capacity(reads.len());
        for read in reads {
            check_position(read.position)?;
            let conversation =
                ConversationId::parse(&read.conversation).map_err(|error| malformed(error.to_string()))?;
            parsed.push((conversation, Position(read.position)));
        }
        let (now, mut within_ms) = (barrage_clock::now(), 0);
        for (conversation, position) in parsed {
            let wait_ms = match conversation.kind() {
                Kind::Direct => self.config.reads_direct_ms,
                Kind::Group => self.config.reads_group_ms,
            };
            within_ms = within_ms.max(wait_ms);
            let key = (user.clone(), conversation);
            if self.reads.add(key.clone(), position, now + Duration::from_millis(wait_ms)) == Merged::No {
                let (user, conversation) = key;
                self.append_one(Event::Read(Place { user, conversation, position })).await?;
            }
        }
        Ok(ReadsAnswer { within_ms })
    }

    /// Writes merged reads until the shutdown, and then the rest.
    pub(super) async fn run_reads(&self, shutdown: CancellationToken) {
        loop {
            if self.reads.is_empty() {
                tokio::select! {
                    () = self.reads.arrived.notified() => {}
                    () = shutdown.cancelled() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = shutdown.cancelled() => {
                    drop(self.write_reads(self.reads.take(None)).await);
                    return;
                }
            }
            let due = self.reads.take(Some(barrage_clock::now()));
            let left = self.write_reads(due).await;
            if !left.is_empty() {
                let due = barrage_clock::now() + RETRY;
                for Place { user, conversation, position } in left {
                    // A full buffer drops it: the device sends a later one.
                    _ = self.reads.add((user, conversation), position, due);
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Appends reads, and returns those that a lane did not take.
    async fn write_reads(&self, due: Vec<Place>) -> Vec<Place> {
        let mut by_lane: HashMap<u16, Vec<Place>> = HashMap::new();
        for place in due {
            let lane = barrage_bus::lane_of(place.conversation.as_str(), self.lanes.lanes());
            by_lane.entry(lane).or_default().push(place);
        }
        let mut left = Vec::new();
        for places in by_lane.into_values() {
            for some in places.chunks(APPENDED) {
                let events: Vec<_> = some.iter().cloned().map(Event::Read).collect();
                if let Err(refusal) = self.append(&events).await {
                    tracing::debug!(code = refusal.code.label(), "reads could not be written");
                    left.extend_from_slice(some);
                }
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str) -> Key {
        (UserId::parse(user).unwrap(), ConversationId::parse("g.x").unwrap())
    }

    #[test]
    fn greatest_position_counts_and_a_full_buffer_takes_no_more() {
        let (buffer, now) = (ReadBuffer::new(2), barrage_clock::now());
        let later = now + Duration::from_secs(1);
        for (position, due) in [(5, now), (9, later), (3, later)] {
            assert_eq!(buffer.add(key("a"), Position(position), due), Merged::Yes);
        }
        assert_eq!(buffer.add(key("b"), Position(1), later), Merged::Yes);
        assert_eq!(buffer.add(key("c"), Position(1), now), Merged::No);
        assert_eq!(buffer.add(key("b"), Position(2), now), Merged::Yes);
        let due = buffer.take(Some(now));
        assert_eq!(due.iter().map(|place| place.position.0).collect::<Vec<_>>(), [9]);
        assert_eq!(buffer.take(None).len(), 1);
        assert!(buffer.is_empty());
    }
}
