//! Mail between the parts of one process: bounded channels.

use std::collections::HashMap;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::error::BusError;
use crate::mail::{Attachments, Mail, MailEnvelope, MailNews, MailReceiver};

/// News or announcements that wait for one receiver. Beyond, the newest are dropped: the numbers of envelopes and
/// the next snapshot show it.
const QUEUE_MAX: usize = 1_024;

/// The way of mail within one process.
#[derive(Debug, Default)]
pub struct EmbeddedMail {
    gateways: Mutex<HashMap<String, mpsc::Sender<MailNews>>>,
    couriers: Mutex<Vec<mpsc::Sender<Attachments>>>,
}

impl EmbeddedMail {
    /// Creates a way without receivers.
    #[must_use]
    pub fn new() -> Self {
        EmbeddedMail::default()
    }
}

/// Returns whether the receiver still exists; a full one loses the value.
fn offer<T>(queue: &mpsc::Sender<T>, value: T) -> bool {
    !matches!(queue.try_send(value), Err(mpsc::error::TrySendError::Closed(_)))
}

#[async_trait]
impl Mail for EmbeddedMail {
    fn send(&self, gateway: &str, envelope: MailEnvelope) {
        let mut gateways = self.gateways.lock();
        if let Some(queue) = gateways.get(gateway)
            && !offer(queue, MailNews::Envelope(envelope))
        {
            gateways.remove(gateway);
        }
    }

    fn call_roll(&self) {
        self.gateways.lock().retain(|_, queue| offer(queue, MailNews::RollCall));
    }

    fn announce(&self, attachments: Attachments) {
        let mut couriers = self.couriers.lock();
        // The last courier takes the announcement itself: nearly always there is one.
        let mut copies = std::iter::repeat_n(attachments, couriers.len());
        couriers.retain(|queue| copies.next().is_some_and(|copy| offer(queue, copy)));
    }

    async fn news(&self, gateway: &str) -> Result<MailReceiver<MailNews>, BusError> {
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        self.gateways.lock().insert(gateway.to_owned(), queue);
        Ok(MailReceiver::local(receiver))
    }

    async fn attachments(&self) -> Result<MailReceiver<Attachments>, BusError> {
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        self.couriers.lock().push(queue);
        Ok(MailReceiver::local(receiver))
    }
}
