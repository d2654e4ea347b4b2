use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use barrage_bus::Draft;
use barrage_protocol::frame::Notice;
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Unacknowledged notices per user; beyond, the oldest is given up.
const PER_USER_MAX: usize = 32;
/// Users with unacknowledged notices. Beyond, notices go out once, are not kept, and are counted
/// in `barrage_gateway_notices_not_kept_total`.
const USERS_MAX: usize = 100_000;
/// Acknowledgements that wait for the bus. Beyond, the oldest is not published, and another gateway
/// may send its notices again.
const ACKS_MAX: usize = 10_000;

#[derive(Debug, Clone)]
struct Pending {
    message: Arc<Message>,
    /// Zero until the notice was sent to the connections of its time.
    sends: u32,
}

/// Acknowledgement by one of this gateway's connections, on its way to the other gateways.
#[derive(Debug, Clone)]
pub(crate) struct Ack {
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

impl Ack {
    /// Draft by which an acknowledgement travels to the other gateways.
    pub(crate) fn draft(&self) -> Draft {
        let (r#type, signal) = ("signal".to_owned(), "ack".to_owned());
        let body = AckBody { r#type, signal, sequences: self.sequences.clone() };
        Draft {
            room: self.room.clone(),
            class: Class::Signal,
            sender: Some(self.user.clone()),
            id: None,
            fingerprint: 0,
            to: Some(self.user.clone()),
            trace: None,
            body: serde_json::to_vec(&body).expect("an acknowledgement is plain data").into(),
        }
    }

    /// Reads the acknowledgement in a message of the notices' topic, if it is one. Only gateways
    /// publish there in the name of a user.
    pub(crate) fn read(message: &Message) -> Option<(&UserId, Vec<Sequence>)> {
        let user = message.to.as_ref().filter(|to| message.sender.as_ref() == Some(to))?;
        let body: AckBody = serde_json::from_slice(&message.body).ok()?;
        Some((user, body.sequences))
    }
}

/// Builds the frame of a notice from a message for one user; `None` when its body is not JSON.
pub(crate) fn frame_of(message: &Message) -> Option<Notice> {
    let body = String::from_utf8(message.body.to_vec()).ok()?;
    let body = serde_json::value::RawValue::from_string(body).ok()?;
    Some(Notice { sequence: message.sequence, body })
}

/// Notices that their users have not acknowledged yet.
#[derive(Debug, Default)]
pub(crate) struct NoticeBook {
    by_user: Mutex<HashMap<UserId, VecDeque<Pending>>>,
    acks: Mutex<VecDeque<Ack>>,
    /// Wakes the task that publishes acknowledgements to the other gateways.
    pub(crate) acknowledged: Notify,
}

impl NoticeBook {
    /// Keeps a notice until it is acknowledged; false at the bound on users.
    pub(crate) fn add(&self, user: &UserId, message: Arc<Message>) -> bool {
        let mut by_user = self.by_user.lock();
        if by_user.len() >= USERS_MAX && !by_user.contains_key(user) {
            return false;
        }
        let pending = by_user.entry(user.clone()).or_default();
        pending.push_back(Pending { message, sends: 0 });
        if pending.len() > PER_USER_MAX {
            pending.pop_front();
        }
        true
    }

    /// Records that a notice was sent to the user's connections.
    pub(crate) fn mark_sent(&self, user: &UserId, sequence: Sequence) {
        let mut by_user = self.by_user.lock();
        let pending = by_user.get_mut(user).into_iter().flatten();
        pending.filter(|p| p.message.sequence == sequence).for_each(|p| p.sends = p.sends.max(1));
    }

    /// Returns the notices for a user that connects, and counts their sends anew. A notice that is
    /// being sent is not among them: the new connection gets it like the others.
    pub(crate) fn take_waiting(&self, user: &UserId) -> Vec<Arc<Message>> {
        let mut by_user = self.by_user.lock();
        let Some(pending) = by_user.get_mut(user) else { return Vec::new() };
        let waiting = pending.iter_mut().filter(|p| p.sends > 0);
        waiting
            .map(|p| {
                p.sends = 1;
                Arc::clone(&p.message)
            })
            .collect()
    }

    /// Returns a user's unacknowledged notices, in the order of their arrival.
    pub(crate) fn pending(&self, user: &UserId) -> Vec<Arc<Message>> {
        let by_user = self.by_user.lock();
        by_user.get(user).into_iter().flatten().map(|p| Arc::clone(&p.message)).collect()
    }

    pub(crate) fn has_pending(&self, user: &UserId) -> bool {
        self.by_user.lock().contains_key(user)
    }

    /// Forgets notices that one of the user's connections here acknowledged, and queues the
    /// acknowledgement for the other gateways.
    pub(crate) fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) {
        let known = self.forget(user, sequences);
        let Some(room) = known.first().map(|message| message.room.clone()) else { return };
        let sequences = known.iter().map(|message| message.sequence).collect();
        let mut acks = self.acks.lock();
        if acks.len() >= ACKS_MAX {
            acks.pop_front();
        }
        acks.push_back(Ack { room, user: user.clone(), sequences });
        drop(acks);
        self.acknowledged.notify_one();
    }

    /// Forgets notices of a user; returns those that were known.
    pub(crate) fn forget(&self, user: &UserId, sequences: &[Sequence]) -> Vec<Arc<Message>> {
        let mut by_user = self.by_user.lock();
        let Some(pending) = by_user.get_mut(user) else { return Vec::new() };
        let (acked, left): (VecDeque<_>, _) =
            pending.drain(..).partition(|p| sequences.contains(&p.message.sequence));
        *pending = left;
        if pending.is_empty() {
            by_user.remove(user);
        }
        acked.into_iter().map(|p| p.message).collect()
    }

    /// Returns the notices to be sent again, and counts the sends. A notice is sent `sends_max`
    /// times at most, then waits for its user's next connect.
    pub(crate) fn take_resends(&self, sends_max: u32) -> Vec<(UserId, Arc<Message>)> {
        let mut due = Vec::new();
        for (user, pending) in self.by_user.lock().iter_mut() {
            for p in pending.iter_mut().filter(|p| p.sends < sends_max) {
                p.sends += 1;
                due.push((user.clone(), Arc::clone(&p.message)));
            }
        }
        due
    }

    /// Forgets notices that are older than this Unix time.
    pub(crate) fn expire(&self, kept_from_ms: u64) {
        self.by_user.lock().retain(|_, pending| {
            pending.retain(|p| p.message.at_ms >= kept_from_ms);
            !pending.is_empty()
        });
    }

    /// Removes up to `count` acknowledgements, oldest first, for publishing.
    pub(crate) fn take_acks(&self, count: usize) -> Vec<Ack> {
        let mut acks = self.acks.lock();
        let count = acks.len().min(count);
        acks.drain(..count).collect()
    }

    /// Puts acknowledgements back that the bus did not take.
    pub(crate) fn put_back(&self, taken: Vec<Ack>) {
        let mut acks = self.acks.lock();
        taken.into_iter().rev().for_each(|ack| acks.push_front(ack));
        acks.truncate(ACKS_MAX);
    }
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
            trace: None,
            body: "{}".into(),
        })
    }

    fn sequences(messages: &[Arc<Message>]) -> Vec<u64> {
        messages.iter().map(|message| message.sequence.0).collect()
    }

    #[test]
    fn a_sent_notice_waits_for_the_next_connect_until_it_is_acknowledged() {
        let book = NoticeBook::default();
        assert!(book.add(&user(), notice(1)) && book.add(&user(), notice(2)));
        assert!(book.take_waiting(&user()).is_empty(), "both are being sent");
        book.mark_sent(&user(), Sequence(1));
        assert_eq!(sequences(&book.take_waiting(&user())), [1]);
        book.mark_sent(&user(), Sequence(2));
        book.acknowledge(&user(), &[Sequence(1), Sequence(7)]);
        assert_eq!(sequences(&book.take_waiting(&user())), [2]);
        book.acknowledge(&user(), &[Sequence(1)]);
        let acks = book.take_acks(10);
        assert_eq!((acks.len(), &acks[0].sequences[..]), (1, &[Sequence(1)][..]), "only known notices");
    }

    #[test]
    fn a_notice_is_sent_so_often_and_forgotten_after_the_retention() {
        let book = NoticeBook::default();
        book.add(&user(), notice(1));
        let sends = |_| book.take_resends(2).len();
        assert_eq!([(); 3].map(sends), [1, 1, 0]);
        book.expire(1);
        assert!(book.has_pending(&user()));
        book.expire(2);
        assert!(!book.has_pending(&user()));
    }

    #[test]
    fn acknowledgements_that_the_bus_refused_keep_their_order() {
        let book = NoticeBook::default();
        for sequence in 1..=3 {
            book.add(&user(), notice(sequence));
            book.acknowledge(&user(), &[Sequence(sequence)]);
        }
        let taken = book.take_acks(2);
        book.put_back(taken);
        let order: Vec<_> = book.take_acks(9).iter().map(|ack| ack.sequences[0].0).collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn an_acknowledgement_is_read_as_it_was_published() {
        let ack = Ack { room: "demo".parse().unwrap(), user: user(), sequences: vec![Sequence(4)] };
        let Draft { room, class, sender, id, to, body, .. } = ack.draft();
        let (sequence, previous) = (Sequence(9), Sequence(8));
        let message =
            Message { room, sequence, previous, class, sender, id, to, at_ms: 0, trace: None, body };
        assert_eq!(Ack::read(&message), Some((&user(), vec![Sequence(4)])));
        assert_eq!(Ack::read(&notice(4)), None);
    }
}
