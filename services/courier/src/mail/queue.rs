//! The bounded queue from the loops of the lanes to the mailer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barrage_inbox::Changes;
use tokio::sync::mpsc;

use crate::sink::{Batch, MailSink};

/// Batches that wait for the mailer. Beyond, a batch is lost, and gateways ring the users of its lane.
const BATCHES_MAX: usize = 64;

/// Where the loops of the lanes leave the changes of committed batches.
#[derive(Debug, Clone)]
pub struct MailQueue {
    batches: mpsc::Sender<(u16, Box<Changes>)>,
    lost: Arc<[AtomicBool]>,
}

/// The mailer's side of the queue.
#[derive(Debug)]
pub(super) struct Batches {
    pub(super) queue: mpsc::Receiver<(u16, Box<Changes>)>,
    lost: Arc<[AtomicBool]>,
}

impl MailQueue {
    /// Creates a queue for the batches of so many lanes.
    pub(super) fn new(lanes: u16) -> (MailQueue, Batches) {
        let (batches, queue) = mpsc::channel(BATCHES_MAX);
        let lost: Arc<[AtomicBool]> = (0..lanes).map(|_| AtomicBool::new(false)).collect();
        (MailQueue { batches, lost: Arc::clone(&lost) }, Batches { queue, lost })
    }
}

impl MailSink for MailQueue {
    fn committed(&self, batch: Batch) {
        let Batch { lane, changes, .. } = batch;
        if self.batches.try_send((lane, Box::new(changes))).is_err() {
            self.lost(lane);
        }
    }

    fn lost(&self, lane: u16) {
        if let Some(lost) = self.lost.get(usize::from(lane)) {
            lost.store(true, Ordering::Release);
        }
    }
}

impl Batches {
    /// Takes the lanes that have lost changes since the last call.
    pub(super) fn take_lost(&self) -> impl Iterator<Item = u16> {
        (0..).zip(&*self.lost).filter(|(_, lost)| lost.swap(false, Ordering::AcqRel)).map(|(lane, _)| lane)
    }
}
