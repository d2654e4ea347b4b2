use std::sync::atomic::{AtomicU32, Ordering};

use barrage_bus::{Draft, PulseDraft, Receipt, Subscription};
use tokio::sync::watch;

use super::*;

/// Log that has one newest position, or never answers.
struct FakeLog {
    last: Option<Sequence>,
    reads: AtomicU32,
}

impl FakeLog {
    fn new(last: Option<u64>) -> Self {
        FakeLog { last: last.map(Sequence), reads: AtomicU32::new(0) }
    }
}

#[async_trait::async_trait]
impl Log for FakeLog {
    async fn publish(&self, _: Vec<Draft>) -> Result<Vec<Receipt>, BusError> {
        unimplemented!("a repair publishes nothing")
    }

    fn pulse(&self, _: &RoomId, _: PulseDraft) {}

    async fn subscribe(&self, _: &Topic) -> Result<Subscription, BusError> {
        unimplemented!("a repair subscribes to nothing")
    }

    async fn range(
        &self,
        _: &Topic,
        after: Sequence,
        before: Option<Sequence>,
        _: RangeLimits,
    ) -> Result<Range, BusError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let Some(last) = self.last else { return std::future::pending().await };
        let covered_to = before.map_or(last, |before| Sequence(before.0 - 1)).max(after);
        Ok(Range { outcome: RepairOutcome::Complete, skipped: 0, messages: Vec::new(), covered_to })
    }

    async fn last(&self, _: &Topic) -> Result<Sequence, BusError> {
        match self.last {
            Some(last) => Ok(last),
            None => std::future::pending().await,
        }
    }

    async fn read_all(&self, _: u16, _: Sequence, _: usize) -> Result<Vec<barrage_bus::Stored>, BusError> {
        unimplemented!("a repair reads one room")
    }

    fn tail(&self, _: u16) -> watch::Receiver<Sequence> {
        unimplemented!("a repair follows nothing")
    }
}

const SIZES: RepairSizes = RepairSizes { chat_max: 10, bytes_max: 1_000 };

#[tokio::test]
async fn a_viewer_that_is_ahead_does_not_wait_for_the_bus() {
    let (log, room) = (FakeLog::new(None), "demo".parse().unwrap());
    let range = RepairReader::new(&log, &room, SIZES).range(Sequence(9), Some(Sequence(10))).await.unwrap();
    assert_eq!((range.outcome, range.covered_to), (RepairOutcome::Complete, Sequence(9)));
    assert_eq!(log.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_takes_too_long_is_refused() {
    let (log, room) = (FakeLog::new(None), "demo".parse().unwrap());
    let read = RepairReader::new(&log, &room, SIZES).range(Sequence(1), Some(Sequence(10))).await;
    assert!(matches!(read, Err(BusError::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_resumes_at_its_position_unless_the_bus_never_had_it() {
    let room = "demo".parse().unwrap();
    let resume_at = async |log: FakeLog, after, position| {
        let reader = RepairReader::new(&log, &room, SIZES);
        reader.resume_at(Sequence(after), Sequence(position)).await.0
    };
    assert_eq!(resume_at(FakeLog::new(Some(9)), 4, 7).await, 7, "behind the room's position");
    assert_eq!(resume_at(FakeLog::new(Some(9)), 8, 7).await, 8, "ahead of this gateway alone");
    assert_eq!(resume_at(FakeLog::new(Some(9)), 12, 7).await, 7, "ahead of the bus");
    assert_eq!(resume_at(FakeLog::new(None), 12, 7).await, 12, "believed when the bus is silent");
}
