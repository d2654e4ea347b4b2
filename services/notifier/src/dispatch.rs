//! One notification for one device: request, answer, and what follows from it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Fault, Report};
use barrage_inbox::UserNumber;
use barrage_push::{Note, Verdict};
use barrage_store::{DeviceRecord, PushService, PushStore};
use parking_lot::Mutex;

use crate::exchange::{Outgoing, SendError};
use crate::metrics::{NotifierMetrics, Outcome, ServiceMetrics};
use crate::sender::Sender;

/// Wait before another attempt at a service that refuses this sender: an operator must mend something.
const MISCONFIGURED_WAIT: Duration = Duration::from_secs(60);

/// What became of a notification for one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// The service has it.
    Taken,
    /// No attempt will reach the device.
    Never,
    /// Another attempt may reach it, after this time if one is known.
    Later(Option<Duration>),
}

/// Sends to devices, each by the sender of its service.
pub(crate) struct Dispatch {
    services: HashMap<String, Service>,
    store: Arc<dyn PushStore>,
    metrics: NotifierMetrics,
}

struct Service {
    sender: Box<dyn Sender>,
    metrics: ServiceMetrics,
    /// Whether the service refuses this sender, for logs that do not repeat.
    refusal: Mutex<Fault>,
}

impl Dispatch {
    pub(crate) fn new(
        senders: Vec<Box<dyn Sender>>,
        store: Arc<dyn PushStore>,
        metrics: NotifierMetrics,
    ) -> Self {
        let service = |sender: Box<dyn Sender>| {
            let name = sender.service().name;
            let metrics = metrics.of(&name);
            (name, Service { sender, metrics, refusal: Mutex::default() })
        };
        Dispatch { services: senders.into_iter().map(service).collect(), store, metrics }
    }

    /// Returns the services, as clients see them.
    pub(crate) fn services(&self) -> Vec<PushService> {
        self.services.values().map(|service| service.sender.service()).collect()
    }

    /// Sends a notification to a device, once. A token that is of no use any more is removed, unless it was registered
    /// again after the request began.
    pub(crate) async fn deliver(&self, user: UserNumber, device: &DeviceRecord, note: &Note) -> Delivered {
        let Some(service) = self.services.get(&device.service) else { return Delivered::Never };
        let began_ms = barrage_clock::unix_ms();
        let request = service.sender.request(device, note, began_ms / 1_000).await;
        self.send(service, user, device, request, began_ms).await
    }

    /// Lowers the badge of a device, once, where its service can do so without a sound.
    pub(crate) async fn lower(&self, user: UserNumber, device: &DeviceRecord, badge: u32) -> Delivered {
        let Some(service) = self.services.get(&device.service) else { return Delivered::Never };
        let began_ms = barrage_clock::unix_ms();
        match service.sender.badge(device, badge, began_ms / 1_000).await {
            Some(request) => self.send(service, user, device, request, began_ms).await,
            None => Delivered::Never,
        }
    }

    async fn send(
        &self,
        service: &Service,
        user: UserNumber,
        device: &DeviceRecord,
        request: Result<Outgoing, Verdict>,
        began_ms: u64,
    ) -> Delivered {
        let (verdict, outcome) = service.attempt(device, request).await;
        service.metrics.count(outcome);
        service.note_refusal(&verdict);
        match verdict {
            Verdict::Taken => Delivered::Taken,
            Verdict::Gone { since_ms } => {
                self.forget(user, device, since_ms.unwrap_or(began_ms)).await;
                Delivered::Never
            }
            Verdict::Later { after } => Delivered::Later(after),
            Verdict::Misconfigured(_) => Delivered::Later(Some(MISCONFIGURED_WAIT)),
            Verdict::Refused(reason) => {
                if service.sender.is_own() {
                    tracing::warn!(service = device.service, reason, "a notification is refused");
                }
                Delivered::Never
            }
        }
    }

    async fn forget(&self, user: UserNumber, device: &DeviceRecord, since_ms: u64) {
        let forgot = self.store.forget_address(user, &device.device, &device.address, since_ms).await;
        match forgot {
            Ok(true) => self.metrics.forgotten.inc(),
            Ok(false) => {}
            // The next notification finds it gone again.
            Err(error) => {
                self.metrics.failures.inc();
                tracing::warn!(%error, "a device could not be forgotten");
            }
        }
    }
}

impl Service {
    async fn attempt(&self, device: &DeviceRecord, request: Result<Outgoing, Verdict>) -> (Verdict, Outcome) {
        let outgoing = match request {
            Ok(outgoing) => outgoing,
            Err(verdict) => {
                let outcome = outcome(&verdict);
                return (verdict, outcome);
            }
        };
        let timer = self.metrics.duration.start_timer();
        let sent = self.sender.origins().send(&outgoing).await;
        if let Err(SendError::Paused(_) | SendError::Busy) = sent {
            timer.stop_and_discard();
        } else {
            timer.observe_duration();
        }
        match sent {
            Ok(answer) => {
                let verdict = self.sender.read(&answer);
                let outcome = outcome(&verdict);
                (verdict, outcome)
            }
            Err(SendError::Paused(wait)) => (Verdict::Later { after: Some(wait) }, Outcome::Later),
            Err(SendError::Busy) => (Verdict::Later { after: None }, Outcome::Later),
            Err(error @ (SendError::Late | SendError::Failed(_))) => {
                tracing::debug!(service = device.service, %error, "a push service does not answer");
                (Verdict::Later { after: None }, Outcome::Unanswered)
            }
        }
    }

    /// Notes whether the service takes this sender, and says so once when it changes.
    fn note_refusal(&self, verdict: &Verdict) {
        let now = Duration::from_millis(barrage_clock::steady_ms());
        match verdict {
            Verdict::Misconfigured(reason) if self.sender.is_own() => {
                self.metrics.misconfigured.set(1);
                if let Some(Report::Began | Report::Lasts { .. }) = self.refusal.lock().failed(now) {
                    let service = self.sender.service().name;
                    tracing::error!(
                        service,
                        reason,
                        "a push service refuses this sender; check keys and clock"
                    );
                }
            }
            Verdict::Taken | Verdict::Gone { .. } => {
                self.metrics.misconfigured.set(0);
                if self.refusal.lock().succeeded(now).is_some() {
                    let service = self.sender.service().name;
                    tracing::info!(service, "the push service takes notifications again");
                }
            }
            Verdict::Later { .. } | Verdict::Refused(_) | Verdict::Misconfigured(_) => {}
        }
    }
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Taken => Outcome::Taken,
        Verdict::Gone { .. } => Outcome::Gone,
        Verdict::Later { .. } => Outcome::Later,
        Verdict::Refused(_) => Outcome::Refused,
        Verdict::Misconfigured(_) => Outcome::Misconfigured,
    }
}
