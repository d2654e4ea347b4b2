//! Read places that are merged before they are written: the greatest position of a conversation counts.

use std::collections::HashMap;
use std::time::Duration;

use barrage_inbox::{ConversationId, Event, Kind, Place, Position};
use barrage_protocol::UserId;
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{READS_MAX, ReadPlace, ReadsAnswer};
use tokio_util::sync::CancellationToken;

use super::compose::check_position;
use super::control::InboxControl;
use super::read_buffer::Merged;
use super::refusals::malformed;

/// Events that are appended together.
const APPENDED: usize = 64;
/// Wait after an append that failed.
const RETRY: Duration = Duration::from_millis(500);
/// Shortest wait between two looks at what is due.
const TICK: Duration = Duration::from_millis(20);

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
