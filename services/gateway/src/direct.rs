//! Messages for one user: sent to that user's connections here, again on silence,
//! until acknowledged; then kept for the next connect as long as the bus would.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_bus::{Event, RangeLimits, Topic};
use barrage_protocol::{Message, Sequence, UserId};

use crate::gateway::{Shared, broadcast};
use crate::shard::Command;

/// Unacknowledged notices per user; beyond, the oldest is given up.
const PER_USER_MAX: usize = 32;
/// Users with unacknowledged notices; beyond, notices go out once and are not kept.
const USERS_MAX: usize = 100_000;

#[derive(Debug, Clone)]
struct Pending {
    message: Arc<Message>,
    sends: u32,
}

/// What is not acknowledged yet, by user.
#[derive(Debug, Default)]
pub(crate) struct DirectBook(Mutex<HashMap<UserId, VecDeque<Pending>>>);

impl DirectBook {
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, VecDeque<Pending>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, user: &UserId, message: Arc<Message>) {
        let mut book = self.lock();
        if book.len() >= USERS_MAX && !book.contains_key(user) {
            return;
        }
        let pending = book.entry(user.clone()).or_default();
        pending.push_back(Pending { message, sends: 1 });
        if pending.len() > PER_USER_MAX {
            pending.pop_front();
        }
    }

    /// What waits for a user who connects; sends count anew.
    pub(crate) fn waiting(&self, user: &UserId) -> Vec<Arc<Message>> {
        let mut book = self.lock();
        let Some(pending) = book.get_mut(user) else { return Vec::new() };
        pending.iter_mut().for_each(|p| p.sends = 1);
        pending.iter().map(|p| Arc::clone(&p.message)).collect()
    }

    pub(crate) fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) {
        let mut book = self.lock();
        if let Some(pending) = book.get_mut(user) {
            pending.retain(|p| !sequences.contains(&p.message.sequence));
            if pending.is_empty() {
                book.remove(user);
            }
        }
    }

    /// What is to be sent again.
    fn again(&self, sends_max: u32) -> Vec<(UserId, Arc<Message>)> {
        let mut due = Vec::new();
        for (user, pending) in self.lock().iter_mut() {
            for p in pending.iter_mut().filter(|p| p.sends < sends_max) {
                p.sends += 1;
                due.push((user.clone(), Arc::clone(&p.message)));
            }
        }
        due
    }

    fn expire(&self, kept_from_ms: u64) {
        self.lock().retain(|_, pending| {
            pending.retain(|p| p.message.at_ms >= kept_from_ms);
            !pending.is_empty()
        });
    }
}

/// How long an unacknowledged notice waits for its user; the bus's retention.
const KEPT_MS: u64 = 1_800_000;

/// Takes notices off the bus and sends them, again and again as configured.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Ok(mut subscription) = shared.bus.subscribe(&Topic::Direct).await else {
        tracing::error!("messages for single users cannot be received: the bus refused");
        return;
    };
    let mut position = Sequence::ZERO;
    catch_up(&shared, &mut position).await;
    let mut again = tokio::time::interval(Duration::from_millis(shared.config.notice_resend_ms.max(100)));
    loop {
        tokio::select! {
            event = subscription.next() => match event {
                None => return,
                Some(Event::Message(message)) if message.sequence > position => {
                    position = message.sequence;
                    send(&shared, message).await;
                }
                Some(Event::Lagged) => catch_up(&shared, &mut position).await,
                Some(Event::Message(_) | Event::Pulse(_)) => {}
            },
            _ = again.tick() => {
                shared.direct.expire(crate::gateway::unix_ms().saturating_sub(KEPT_MS));
                for (user, message) in shared.direct.again(shared.config.notice_sends_max) {
                    broadcast(&shared, || Command::Notice { user: user.clone(), message: Arc::clone(&message) }).await;
                }
            }
            () = shared.ended.cancelled() => return,
        }
    }
}

async fn catch_up(shared: &Shared, position: &mut Sequence) {
    match shared.bus.range(&Topic::Direct, *position, None, RangeLimits::default()).await {
        Ok(range) => {
            *position = range.covered_to;
            for message in range.messages {
                send(shared, message).await;
            }
        }
        Err(error) => tracing::warn!(%error, "missed messages for single users could not be read"),
    }
}

async fn send(shared: &Shared, message: Arc<Message>) {
    let Some(user) = message.to.clone() else { return };
    shared.direct.add(&user, Arc::clone(&message));
    broadcast(shared, || Command::Notice { user: user.clone(), message: Arc::clone(&message) }).await;
}
