//! Notices, the messages for one user: sent to that user's connections here, again while
//! they are not acknowledged, and on the next connect as long as the bus keeps them. An
//! acknowledgement travels to all gateways over the same topic.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_bus::{BusError, Draft, Event, RangeLimits, Subscription, Topic};
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::beats::BEAT_EVERY;
use crate::gateway::{Shared, broadcast, unix_ms};
use crate::shard::Command;

/// Unacknowledged notices per user; beyond, the oldest is given up.
const PER_USER_MAX: usize = 32;
/// Users with unacknowledged notices; beyond, notices go out once, are not kept, and are
/// counted in `barrage_gateway_notices_not_kept_total`.
const USERS_MAX: usize = 100_000;
/// Acknowledgements waiting for the bus; beyond, the oldest is not published, and another
/// gateway may send its notices again.
const ACKS_MAX: usize = 10_000;
/// Acknowledgements published together.
const ACKS_TOGETHER: usize = 64;
/// Pauses before the bus is asked again; each is twice as long as the one before.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long an unacknowledged notice waits for its user; the bus's retention.
const KEPT_MS: u64 = 1_800_000;

#[derive(Debug, Clone)]
struct Pending {
    message: Arc<Message>,
    /// Zero until it was sent to the connections that were here when it came.
    sends: u32,
}

/// Notices that a user has acknowledged here, on their way to the other gateways.
#[derive(Debug, Clone)]
struct Ack {
    room: RoomId,
    user: UserId,
    sequences: Vec<Sequence>,
}

/// Body of an acknowledgement on the bus.
#[derive(Debug, Serialize, Deserialize)]
struct AckBody {
    r#type: String,
    signal: String,
    sequences: Vec<Sequence>,
}

/// Notices that are not acknowledged yet, by user.
#[derive(Debug, Default)]
pub(crate) struct DirectBook {
    pending: Mutex<HashMap<UserId, VecDeque<Pending>>>,
    acks: Mutex<VecDeque<Ack>>,
    acked: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DirectBook {
    /// Keeps a notice until it is acknowledged; false at the bound on users.
    fn add(&self, user: &UserId, message: Arc<Message>) -> bool {
        let mut book = lock(&self.pending);
        if book.len() >= USERS_MAX && !book.contains_key(user) {
            return false;
        }
        let pending = book.entry(user.clone()).or_default();
        pending.push_back(Pending { message, sends: 0 });
        if pending.len() > PER_USER_MAX {
            pending.pop_front();
        }
        true
    }

    /// The notice was sent to the user's connections.
    fn announced(&self, user: &UserId, sequence: Sequence) {
        let mut book = lock(&self.pending);
        let pending = book.get_mut(user).into_iter().flatten();
        pending.filter(|p| p.message.sequence == sequence).for_each(|p| p.sends = p.sends.max(1));
    }

    /// What waits for a user who connects; sends count anew. A notice that is just being sent
    /// is not among them: the new connection gets it like the others.
    pub(crate) fn waiting(&self, user: &UserId) -> Vec<Arc<Message>> {
        let mut book = lock(&self.pending);
        let Some(pending) = book.get_mut(user) else { return Vec::new() };
        let waiting = pending.iter_mut().filter(|p| p.sends > 0);
        waiting
            .map(|p| {
                p.sends = 1;
                Arc::clone(&p.message)
            })
            .collect()
    }

    /// A user's unacknowledged notices.
    pub(crate) fn pending(&self, user: &UserId) -> Vec<Arc<Message>> {
        let book = lock(&self.pending);
        book.get(user).into_iter().flatten().map(|p| Arc::clone(&p.message)).collect()
    }

    /// Whether a user has unacknowledged notices.
    pub(crate) fn has_some(&self, user: &UserId) -> bool {
        lock(&self.pending).contains_key(user)
    }

    /// A user's connection here acknowledged these; the other gateways are told.
    pub(crate) fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) {
        let known = self.forget(user, sequences);
        let Some(room) = known.first().map(|message| message.room.clone()) else { return };
        let sequences = known.iter().map(|message| message.sequence).collect();
        let mut acks = lock(&self.acks);
        if acks.len() >= ACKS_MAX {
            acks.pop_front();
        }
        acks.push_back(Ack { room, user: user.clone(), sequences });
        drop(acks);
        self.acked.notify_one();
    }

    /// Forgets these notices of a user, and returns those that were known.
    fn forget(&self, user: &UserId, sequences: &[Sequence]) -> Vec<Arc<Message>> {
        let mut book = lock(&self.pending);
        let Some(pending) = book.get_mut(user) else { return Vec::new() };
        let (acked, left): (VecDeque<_>, _) =
            pending.drain(..).partition(|p| sequences.contains(&p.message.sequence));
        *pending = left;
        if pending.is_empty() {
            book.remove(user);
        }
        acked.into_iter().map(|p| p.message).collect()
    }

    /// What is to be sent again.
    fn again(&self, sends_max: u32) -> Vec<(UserId, Arc<Message>)> {
        let mut due = Vec::new();
        for (user, pending) in lock(&self.pending).iter_mut() {
            for p in pending.iter_mut().filter(|p| p.sends < sends_max) {
                p.sends += 1;
                due.push((user.clone(), Arc::clone(&p.message)));
            }
        }
        due
    }

    fn expire(&self, kept_from_ms: u64) {
        lock(&self.pending).retain(|_, pending| {
            pending.retain(|p| p.message.at_ms >= kept_from_ms);
            !pending.is_empty()
        });
    }
}

/// The acknowledgement that a message of the topic is, if it is one: only gateways publish
/// there in the name of a user.
fn ack(message: &Message) -> Option<(&UserId, Vec<Sequence>)> {
    let user = message.to.as_ref().filter(|to| message.sender.as_ref() == Some(to))?;
    let body: AckBody = serde_json::from_slice(&message.body).ok()?;
    Some((user, body.sequences))
}

fn ack_draft(ack: &Ack) -> Draft {
    let (r#type, signal) = ("signal".to_owned(), "ack".to_owned());
    let body = AckBody { r#type, signal, sequences: ack.sequences.clone() };
    Draft {
        room: ack.room.clone(),
        class: Class::Signal,
        sender: Some(ack.user.clone()),
        id: None,
        fingerprint: 0,
        to: Some(ack.user.clone()),
        body: serde_json::to_vec(&body).expect("plain data").into(),
    }
}

/// Takes notices off the bus and sends them until the gateway ends. A bus that fails is asked
/// again, for as long as the process lives.
pub(crate) async fn run(shared: &Shared) {
    let mut position = Sequence::ZERO;
    let mut pause = RETRY_MIN;
    loop {
        let began = Instant::now();
        tokio::select! {
            followed = follow(shared, &mut position) => match followed {
                Ok(()) => tracing::warn!("the subscription to notices ended; subscribing again"),
                Err(error) => tracing::warn!(%error, "notices cannot be received; trying again"),
            },
            () = shared.ended.cancelled() => return,
        }
        if began.elapsed() > RETRY_MAX {
            pause = RETRY_MIN;
        }
        tokio::select! {
            () = shared.parts.notices.while_waiting(tokio::time::sleep(pause)) => {}
            () = shared.ended.cancelled() => return,
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Follows the topic from a position until the subscription ends.
async fn follow(shared: &Shared, position: &mut Sequence) -> Result<(), BusError> {
    let beat = &shared.parts.notices;
    let mut subscription: Subscription = beat.while_waiting(shared.bus.subscribe(&Topic::Direct)).await?;
    catch_up(shared, position).await?;
    let resend = Duration::from_millis(shared.config.notice_resend_ms.max(100));
    let mut again = tokio::time::interval_at(Instant::now() + resend, resend);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beats = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            event = subscription.next() => match event {
                None => return Ok(()),
                Some(Event::Message(message)) if message.sequence > *position => {
                    *position = message.sequence;
                    take(shared, message).await;
                }
                Some(Event::Lagged) => catch_up(shared, position).await?,
                Some(Event::Message(_) | Event::Pulse(_)) => {}
            },
            () = shared.direct.acked.notified() => publish_acks(shared).await,
            _ = again.tick() => {
                shared.direct.expire(unix_ms().saturating_sub(KEPT_MS));
                for (user, message) in shared.direct.again(shared.config.notice_sends_max) {
                    send(shared, &user, &message).await;
                }
                publish_acks(shared).await;
            }
            _ = beats.tick() => beat.beat(),
        }
    }
}

/// Reads what was missed, to its end.
async fn catch_up(shared: &Shared, position: &mut Sequence) -> Result<(), BusError> {
    loop {
        let reading = shared.bus.range(&Topic::Direct, *position, None, RangeLimits::default());
        let range = shared.parts.notices.while_waiting(reading).await?;
        let is_done = range.covered_to <= *position;
        *position = range.covered_to;
        for message in range.messages {
            take(shared, message).await;
        }
        if is_done {
            return Ok(());
        }
    }
}

/// Publishes what was acknowledged here. What the bus does not take stays, and is tried again
/// after `gateway.notice_resend_ms`.
async fn publish_acks(shared: &Shared) {
    loop {
        let some: Vec<_> = {
            let mut acks = lock(&shared.direct.acks);
            let count = acks.len().min(ACKS_TOGETHER);
            acks.drain(..count).collect()
        };
        if some.is_empty() {
            return;
        }
        let publishing = shared.bus.publish(some.iter().map(ack_draft).collect());
        if let Err(error) = shared.parts.notices.while_waiting(publishing).await {
            tracing::debug!(%error, "acknowledgements were not published; trying again");
            let mut acks = lock(&shared.direct.acks);
            some.into_iter().rev().for_each(|ack| acks.push_front(ack));
            acks.truncate(ACKS_MAX);
            return;
        }
    }
}

async fn take(shared: &Shared, message: Arc<Message>) {
    if let Some((user, sequences)) = ack(&message) {
        shared.direct.forget(user, &sequences);
        return;
    }
    let Some(user) = message.to.clone() else { return };
    if !shared.direct.add(&user, Arc::clone(&message)) {
        shared.metrics.notices_not_kept.inc();
    }
    shared.listeners.notice(&user, &message);
    send(shared, &user, &message).await;
    shared.direct.announced(&user, message.sequence);
}

/// Sends a notice to the user's WebSockets; event streams and polls, which lose nothing, get
/// it once.
async fn send(shared: &Shared, user: &UserId, message: &Arc<Message>) {
    broadcast(shared, || Command::Notice { user: user.clone(), message: Arc::clone(message) }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        "u".parse().unwrap()
    }

    fn notice(sequence: u64) -> Arc<Message> {
        Arc::new(Message {
            room: "demo".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            class: Class::Signal,
            sender: None,
            id: None,
            to: Some(user()),
            at_ms: 1,
            body: "{}".into(),
        })
    }

    fn sequences(messages: &[Arc<Message>]) -> Vec<u64> {
        messages.iter().map(|message| message.sequence.0).collect()
    }

    #[test]
    fn a_notice_waits_for_a_connect_once_it_was_sent_and_until_it_is_acknowledged() {
        let book = DirectBook::default();
        assert!(book.add(&user(), notice(1)) && book.add(&user(), notice(2)));
        assert!(book.waiting(&user()).is_empty(), "both are just being sent");
        book.announced(&user(), Sequence(1));
        assert_eq!(sequences(&book.waiting(&user())), [1]);
        book.announced(&user(), Sequence(2));
        book.acknowledge(&user(), &[Sequence(1), Sequence(7)]);
        assert_eq!(sequences(&book.waiting(&user())), [2]);
        book.acknowledge(&user(), &[Sequence(1)]);
        let acks = lock(&book.acks);
        assert_eq!((acks.len(), &acks[0].sequences[..]), (1, &[Sequence(1)][..]), "only what was known");
    }

    #[test]
    fn an_acknowledgement_is_read_as_it_was_published() {
        let of = Ack { room: "demo".parse().unwrap(), user: user(), sequences: vec![Sequence(4)] };
        let Draft { room, class, sender, id, to, body, .. } = ack_draft(&of);
        let (sequence, previous) = (Sequence(9), Sequence(8));
        let message = Message { room, sequence, previous, class, sender, id, to, at_ms: 0, body };
        assert_eq!(ack(&message), Some((&user(), vec![Sequence(4)])));
        assert_eq!(ack(&notice(4)), None);
    }
}
