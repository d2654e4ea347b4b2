//! The loop that sends the stored events of one receiver.

use std::sync::Arc;
use std::time::Duration;

use barrage_flow::{Breaker, CallOutcome};
use barrage_store::{Attempt, DeliveryState, PendingDelivery};
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;

use crate::endpoint::Endpoint;
use crate::error::WebhooksError;
use crate::metrics::AttemptLabel;
use crate::outside::{Outside, Sent};
use crate::schedule::{self, Outcome, Verdict};
use crate::signature::Secrets;

/// Events that are read from the store at a time.
const PAGE: usize = 64;
/// Characters of an error in the delivery log.
const ERROR_CHARS_MAX: usize = 300;
/// Reason of a receiver that answered 410.
const GONE: &str = "the receiver answered 410 Gone";

/// Sends to one receiver.
pub(crate) struct Deliver {
    endpoint: Arc<Endpoint>,
    outside: Box<dyn Outside>,
    breaker: Mutex<Breaker>,
    /// Steady time before which nothing is sent, in milliseconds: the receiver asked for it, or the
    /// breaker is open.
    paused_until_ms: Mutex<u64>,
}

impl Deliver {
    pub(crate) fn new(endpoint: Arc<Endpoint>, outside: Box<dyn Outside>) -> Self {
        let breaker = Mutex::new(Breaker::new(endpoint.config.breaker.clone()));
        Deliver { endpoint, outside, breaker, paused_until_ms: Mutex::new(0) }
    }

    /// Sends until an error that only an operator can repair.
    pub(crate) async fn follow(self) -> Result<(), WebhooksError> {
        loop {
            self.endpoint.refresh().await?;
            let wait = if self.endpoint.is_disabled() {
                self.endpoint.poll_interval()
            } else {
                self.round().await?
            };
            if !wait.is_zero() {
                // Nothing is due: new events, a replay or the next attempt end the wait.
                drop(tokio::time::timeout(wait, self.endpoint.stored.notified()).await);
            }
        }
    }

    /// Sends the events that are due. Returns the time until the next one; zero when more are due.
    async fn round(&self) -> Result<Duration, WebhooksError> {
        let endpoint = &*self.endpoint;
        let now_ms = self.outside.unix_ms();
        let until_pause = self.paused_until_ms.lock().saturating_sub(self.outside.steady_ms());
        if until_pause > 0 {
            tokio::time::sleep(Duration::from_millis(until_pause).min(endpoint.poll_interval())).await;
            return Ok(Duration::ZERO);
        }
        let deliveries = endpoint.store.deliveries();
        let pending = endpoint.retried(|| deliveries.pending(endpoint.name(), PAGE)).await?;
        let due: Vec<_> = pending.iter().filter(|delivery| delivery.next_at_ms <= now_ms).collect();
        if due.is_empty() {
            let next_ms = pending.first().map_or(u64::MAX, |next| next.next_at_ms.saturating_sub(now_ms));
            return Ok(Duration::from_millis(next_ms).min(endpoint.poll_interval()));
        }
        let secrets = match Secrets::read(&endpoint.settings.secret_file) {
            Ok(secrets) => secrets,
            Err(error) => {
                endpoint.failed(&error);
                return Ok(endpoint.poll_interval());
            }
        };
        let mut sends = Vec::with_capacity(due.len());
        for delivery in due {
            sends.push(self.attempt(delivery, &secrets));
        }
        let mut results = stream::iter(sends).buffer_unordered(endpoint.config.parallel_max.max(1));
        while let Some(result) = results.next().await {
            result?;
        }
        Ok(Duration::ZERO)
    }

    /// Sends one event and records what came of it. An event that the breaker holds back stays as it is.
    async fn attempt(&self, delivery: &PendingDelivery, secrets: &Secrets) -> Result<(), WebhooksError> {
        if self.endpoint.is_disabled() || *self.paused_until_ms.lock() > self.outside.steady_ms() {
            return Ok(());
        }
        let permit = match self.breaker.lock().acquire(self.steady()) {
            Ok(permit) => permit,
            Err(wait) => {
                self.pause(wait);
                return Ok(());
            }
        };
        let started = self.steady();
        let sent = self.outside.send(delivery, secrets).await;
        let took = self.steady().saturating_sub(started);
        self.endpoint.metrics.duration.observe(took.as_secs_f64());
        let is_answer = matches!(sent.outcome, Outcome::Answered { status, .. } if status < 500);
        let outcome = if is_answer { CallOutcome::Answered } else { CallOutcome::Failed };
        self.breaker.lock().record(permit, outcome, took, self.steady());
        self.record(delivery, &sent).await
    }

    async fn record(&self, delivery: &PendingDelivery, sent: &Sent) -> Result<(), WebhooksError> {
        let endpoint = &*self.endpoint;
        let chance = self.outside.chance();
        let verdict = schedule::judge(&sent.outcome, delivery.attempts, &endpoint.config, chance);
        let now_ms = self.outside.unix_ms();
        // Before the record: while the store is slow, no other event goes to this receiver.
        match verdict {
            Verdict::Retry { pause: Some(pause), .. } | Verdict::Exhausted { pause: Some(pause) } => {
                self.pause(pause);
            }
            Verdict::Gone => endpoint.disable(),
            Verdict::Delivered | Verdict::Retry { .. } | Verdict::Exhausted { .. } => {}
        }
        let (state, next_at_ms) = match &verdict {
            Verdict::Delivered => (DeliveryState::Delivered, 0),
            Verdict::Exhausted { .. } => (DeliveryState::Failed, 0),
            Verdict::Retry { wait, .. } => (DeliveryState::Pending, now_ms.saturating_add(ms(*wait))),
            // It waits until an operator enables the receiver.
            Verdict::Gone => (DeliveryState::Pending, now_ms),
        };
        endpoint.metrics.attempt(label(&verdict, &sent.outcome)).inc();
        let (status, error) = match sent.outcome {
            Outcome::Answered { status, .. } => (Some(status), sent.error.as_deref()),
            Outcome::Unanswered => (None, sent.error.as_deref()),
        };
        let attempt = Attempt {
            state,
            attempts: delivery.attempts.saturating_add(1),
            next_at_ms,
            at_ms: now_ms,
            status,
            error: error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect()),
        };
        let deliveries = endpoint.store.deliveries();
        endpoint.retried(|| deliveries.record_attempt(delivery.id, &attempt)).await?;
        match verdict {
            Verdict::Gone => {
                let reason = Some((GONE, now_ms));
                endpoint.retried(|| deliveries.disable_endpoint(endpoint.name(), reason)).await?;
                endpoint.refresh().await?;
                tracing::warn!(
                    endpoint = endpoint.name(),
                    "the receiver answered 410 and is disabled; the admin API enables it"
                );
            }
            Verdict::Exhausted { .. } => {
                tracing::warn!(
                    endpoint = endpoint.name(),
                    event = delivery.event,
                    "an event has failed for good; the admin API replays it"
                );
            }
            Verdict::Delivered | Verdict::Retry { .. } => {}
        }
        Ok(())
    }

    fn pause(&self, wait: Duration) {
        let until_ms = self.outside.steady_ms().saturating_add(ms(wait));
        let mut paused = self.paused_until_ms.lock();
        *paused = until_ms.max(*paused);
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.outside.steady_ms())
    }
}

fn label(verdict: &Verdict, outcome: &Outcome) -> AttemptLabel {
    match (verdict, outcome) {
        (Verdict::Delivered, _) => AttemptLabel::Delivered,
        (Verdict::Gone, _) => AttemptLabel::Gone,
        (Verdict::Exhausted { .. }, _) => AttemptLabel::Exhausted,
        (Verdict::Retry { pause: Some(_), .. }, _) => AttemptLabel::Throttled,
        (Verdict::Retry { .. }, Outcome::Answered { .. }) => AttemptLabel::Refused,
        (Verdict::Retry { .. }, Outcome::Unanswered) => AttemptLabel::Unanswered,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
