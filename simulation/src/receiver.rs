//! Receivers of webhooks: what each answers, and a judge of the requests that reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use barrage_clock::Clock;
use barrage_store::PendingDelivery;
use barrage_webhooks::{Outcome, Outside, Secrets, Sent, WebhooksConfig};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::mutation::Mutation;
use crate::rng::Rng;

const START_MS: u64 = 1_700_000_000_000;

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes the event, and answers 204 after so many milliseconds.
    Takes(u64),
    /// Takes the event, and its answer is lost.
    AnswerLost,
    /// Answers with a status at once.
    Refuses(u16),
    /// Answers 503 and asks for a pause of so many seconds.
    Throttles(u64),
    /// Answers nothing until the request's time is over.
    Hangs,
}

/// One receiver with the requests that it has seen.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) mood: Mood,
    /// Ids of the events that it has taken.
    pub(crate) taken: BTreeSet<String>,
    /// Requests that have reached it.
    pub(crate) requests: u64,
    /// Attempts before the last one that has ended, and its end, by event.
    ended: BTreeMap<String, (u32, u64)>,
    /// What this life of the sending process has learned.
    life: Life,
}

/// What a sending process knows until it is killed.
#[derive(Debug, Default)]
struct Life {
    in_flight: usize,
    /// Steady time before which the receiver wants no request.
    paused_until_ms: u64,
    is_gone: bool,
    /// Ends of failed requests since the last answer below 500.
    failed_at_ms: Vec<u64>,
    has_answered: bool,
    /// Start of the newest request that began after the breaker had opened.
    probed_at_ms: Option<u64>,
}

/// All receivers, over the lives of the sending process. `tokio`'s time is both clocks.
#[derive(Debug)]
pub(crate) struct Receivers {
    config: Arc<WebhooksConfig>,
    mutation: Option<Mutation>,
    origin: Instant,
    chance: Mutex<Rng>,
    pub(crate) all: Mutex<BTreeMap<String, Receiver>>,
    /// First obligation that a request broke.
    pub(crate) broken: Mutex<Option<String>>,
    /// One request after the other, over all receivers: a defect.
    line: tokio::sync::Mutex<()>,
}

impl Receivers {
    /// Creates receivers that take everything. Must be called within a runtime.
    pub(crate) fn new(config: Arc<WebhooksConfig>, mutation: Option<Mutation>, chance: Rng) -> Arc<Self> {
        let receiver = |name: &String| {
            let (mood, ended) = (Mood::Takes(5), BTreeMap::new());
            (
                name.clone(),
                Receiver { mood, taken: BTreeSet::new(), requests: 0, ended, life: Life::default() },
            )
        };
        let all = config.endpoints.iter().map(|endpoint| receiver(&endpoint.name)).collect();
        Arc::new(Receivers {
            config,
            mutation,
            origin: Instant::now(),
            chance: Mutex::new(chance),
            all: Mutex::new(all),
            broken: Mutex::new(None),
            line: tokio::sync::Mutex::new(()),
        })
    }

    /// Forgets what a killed process knew.
    pub(crate) fn new_life(&self) {
        self.all.lock().values_mut().for_each(|receiver| receiver.life = Life::default());
    }

    /// An operator has enabled a receiver.
    pub(crate) fn enabled(&self, name: &str) {
        self.with(name, |receiver| receiver.life.is_gone = false);
    }

    pub(crate) fn with<T>(&self, name: &str, change: impl FnOnce(&mut Receiver) -> T) -> T {
        change(self.all.lock().get_mut(name).expect("a receiver of the configuration"))
    }

    pub(crate) fn steady_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Judges a request that begins, and returns what the receiver will do.
    fn began(&self, name: &str, delivery: &PendingDelivery) -> Mood {
        let now_ms = self.steady_ms();
        let (mood, broken) = self.with(name, |receiver| {
            let broken = receiver.judge(delivery, &self.config, now_ms);
            receiver.requests += 1;
            receiver.life.in_flight += 1;
            (receiver.mood, broken)
        });
        if let Some(broken) = broken {
            self.broken.lock().get_or_insert_with(|| format!("{name}: {broken}"));
        }
        mood
    }

    fn ended(&self, name: &str, delivery: &PendingDelivery, outcome: &Outcome) {
        let now_ms = self.steady_ms();
        self.with(name, |receiver| receiver.note(delivery, outcome, now_ms, &self.config));
    }

    async fn answer(&self, name: &str, delivery: &PendingDelivery) -> Outcome {
        let mood = self.began(name, delivery);
        let wait_ms = match mood {
            Mood::Takes(ms) => ms,
            Mood::Refuses(_) | Mood::Throttles(_) => 1,
            Mood::AnswerLost | Mood::Hangs => self.config.timeout_ms,
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        if matches!(mood, Mood::Takes(_) | Mood::AnswerLost) {
            self.with(name, |receiver| receiver.taken.insert(delivery.event.clone()));
        }
        let answered = |status| Outcome::Answered { status, retry_after: None };
        let outcome = match mood {
            Mood::Takes(_) => answered(204),
            Mood::Refuses(status) => answered(status),
            Mood::Throttles(secs) => {
                Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(secs)) }
            }
            Mood::AnswerLost | Mood::Hangs => Outcome::Unanswered,
        };
        self.ended(name, delivery, &outcome);
        outcome
    }
}

impl Receiver {
    /// Returns the obligation that a request breaks which begins now.
    fn judge(&mut self, delivery: &PendingDelivery, config: &WebhooksConfig, now_ms: u64) -> Option<String> {
        let life = &mut self.life;
        let event = &delivery.event;
        if life.in_flight >= config.parallel_max {
            return Some(format!("{} requests at the same time", life.in_flight + 1));
        }
        if life.is_gone {
            return Some(format!("{event} is sent after the answer 410"));
        }
        if now_ms < life.paused_until_ms {
            return Some(format!(
                "{event} is sent at {now_ms}, within a pause until {}",
                life.paused_until_ms
            ));
        }
        // An attempt that the store does not have is made again at once.
        if let Some((before, at_ms)) = self.ended.get(event)
            && delivery.attempts > *before
        {
            let wait_ms = config.retry_secs.get(*before as usize).map_or(0, |secs| secs * 1_000);
            if now_ms < at_ms + wait_ms {
                return Some(format!("{event} is sent {} ms after attempt {before}", now_ms - at_ms));
            }
        }
        if life.is_open(config) {
            let since_ms = life.probed_at_ms.map_or(u64::MAX, |probed_ms| now_ms - probed_ms);
            life.probed_at_ms = Some(now_ms);
            if since_ms < config.breaker.pause_ms {
                return Some(format!("{event} is sent {since_ms} ms after the last, and none was answered"));
            }
        }
        None
    }

    fn note(&mut self, delivery: &PendingDelivery, outcome: &Outcome, now_ms: u64, config: &WebhooksConfig) {
        // An event whose receiver wants none any more waits for an operator alone.
        if matches!(outcome, Outcome::Answered { status: 410, .. }) {
            self.ended.remove(&delivery.event);
        } else {
            self.ended.insert(delivery.event.clone(), (delivery.attempts, now_ms));
        }
        let life = &mut self.life;
        life.in_flight = life.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Answered { status: 410, .. } => life.is_gone = true,
            Outcome::Answered { status: 503, retry_after: Some(pause) } => {
                let pause = pause.min(&Duration::from_secs(config.retry_after_secs_max)).as_millis();
                life.paused_until_ms = now_ms + u64::try_from(pause).unwrap_or(u64::MAX);
            }
            _ => {}
        }
        if matches!(outcome, Outcome::Answered { status, .. } if *status < 500) {
            life.has_answered = true;
        } else {
            life.failed_at_ms.push(now_ms);
        }
    }
}

impl Life {
    /// Whether the breaker must be open or half open: the process has seen failures alone, enough of them within a
    /// part of the window.
    fn is_open(&self, config: &WebhooksConfig) -> bool {
        let (calls, window_ms) = (config.breaker.calls_min as usize, config.breaker.window_ms * 8 / 10);
        !self.has_answered
            && self.failed_at_ms.windows(calls).any(|failed| failed[calls - 1] - failed[0] < window_ms)
    }
}

/// Surroundings of the sending to one receiver.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) receivers: Arc<Receivers>,
}

impl Clock for Line {
    fn unix_ms(&self) -> u64 {
        START_MS + self.receivers.steady_ms()
    }

    fn steady_ms(&self) -> u64 {
        self.receivers.steady_ms()
    }
}

impl Outside for Line {
    fn send<'a>(&'a self, delivery: &'a PendingDelivery, _: &'a Secrets) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            let receivers = &self.receivers;
            let is_one_line = receivers.mutation == Some(Mutation::RequestsInOneLine);
            let _turn = if is_one_line { Some(receivers.line.lock().await) } else { None };
            let outcome = receivers.answer(&self.name, delivery).await;
            let mistakes = receivers.mutation == Some(Mutation::AnyAnswerDelivers);
            let outcome = match outcome {
                Outcome::Answered { .. } if mistakes => Outcome::Answered { status: 200, retry_after: None },
                outcome => outcome,
            };
            Sent { outcome, error: None }
        })
    }

    fn chance(&self) -> f64 {
        self.receivers.chance.lock().below(1_001) as f64 / 1_000.0
    }
}

/// Returns the Unix time in milliseconds at the start of each run.
pub(crate) fn start_ms() -> u64 {
    START_MS
}
