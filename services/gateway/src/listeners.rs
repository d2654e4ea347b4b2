//! Event streams and polls under way: no shard owns them, so each leaves a listener here
//! that evictions and notices reach.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use barrage_protocol::code::Refusal;
use barrage_protocol::{Message, RoomId, UserId};
use tokio::sync::Notify;

use crate::eviction::Eviction;

/// Notices waiting for one listener; beyond, the oldest is dropped and comes with the next
/// connect, because it stays unacknowledged.
const NOTICES_MAX: usize = 32;

/// What a listener hears.
#[derive(Debug)]
pub(crate) enum News {
    /// The connection ends with this.
    Evicted(Refusal),
    /// A message for its user alone.
    Notice(Arc<Message>),
}

#[derive(Debug)]
struct Listener {
    room: RoomId,
    user: Option<UserId>,
    heard: Mutex<Heard>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    evicted: Option<Refusal>,
    notices: VecDeque<Arc<Message>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    fn hear(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut lock(&self.heard));
        self.wake.notify_one();
    }
}

/// All listeners of a gateway. Bounded by the viewers that the gateway admits.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Mutex<All>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct All {
    by_id: HashMap<u64, Arc<Listener>>,
    /// Ids of the listeners of each user that has a token.
    by_user: HashMap<UserId, Vec<u64>>,
}

impl Listeners {
    /// Begins to listen. Check the settings afterwards: an eviction before is not heard.
    pub(crate) fn listen(self: &Arc<Self>, room: &RoomId, user: Option<&UserId>) -> Listening {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::new(Listener {
            room: room.clone(),
            user: user.cloned(),
            heard: Mutex::default(),
            wake: Notify::new(),
        });
        let mut all = lock(&self.all);
        all.by_id.insert(id, Arc::clone(&listener));
        if let Some(user) = user {
            all.by_user.entry(user.clone()).or_default().push(id);
        }
        drop(all);
        Listening { listeners: Arc::clone(self), listener, id }
    }

    pub(crate) fn evict(&self, eviction: &Eviction) {
        for listener in lock(&self.all).by_id.values() {
            if eviction.concerns(Some(&listener.room), listener.user.as_ref()) {
                listener.hear(|heard| heard.evicted = Some(eviction.refusal.clone()));
            }
        }
    }

    /// Ends one listener's connection.
    pub(crate) fn evict_one(&self, id: u64, refusal: Refusal) {
        if let Some(listener) = lock(&self.all).by_id.get(&id) {
            listener.hear(|heard| heard.evicted = Some(refusal));
        }
    }

    pub(crate) fn notice(&self, user: &UserId, message: &Arc<Message>) {
        let all = lock(&self.all);
        let ids = all.by_user.get(user).into_iter().flatten();
        for listener in ids.filter_map(|id| all.by_id.get(id)) {
            listener.hear(|heard| {
                if heard.notices.len() >= NOTICES_MAX {
                    heard.notices.pop_front();
                }
                heard.notices.push_back(Arc::clone(message));
            });
        }
    }
}

/// A place among the listeners; dropping it ends the listening.
#[derive(Debug)]
pub(crate) struct Listening {
    listeners: Arc<Listeners>,
    listener: Arc<Listener>,
    pub(crate) id: u64,
}

impl Listening {
    /// Waits for the next news; an eviction comes before notices. Cancel-safe.
    pub(crate) async fn next(&self) -> News {
        loop {
            if let Some(news) = self.take() {
                return news;
            }
            self.listener.wake.notified().await;
        }
    }

    fn take(&self) -> Option<News> {
        let mut heard = lock(&self.listener.heard);
        let evicted = heard.evicted.take().map(News::Evicted);
        evicted.or_else(|| heard.notices.pop_front().map(News::Notice))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut all = lock(&self.listeners.all);
        all.by_id.remove(&self.id);
        if let Some(user) = &self.listener.user
            && let Some(ids) = all.by_user.get_mut(user)
        {
            ids.retain(|id| *id != self.id);
            if ids.is_empty() {
                all.by_user.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::{Class, Code, Sequence};

    fn notice(sequence: u64) -> Arc<Message> {
        Arc::new(Message {
            room: "a".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            class: Class::Signal,
            sender: None,
            id: None,
            to: Some("u".parse().unwrap()),
            at_ms: 0,
            body: "{}".into(),
        })
    }

    #[tokio::test]
    async fn listeners_hear_what_concerns_them_and_are_forgotten_when_dropped() {
        let listeners = Arc::new(Listeners::default());
        let (room, user): (RoomId, UserId) = ("a".parse().unwrap(), "u".parse().unwrap());
        let (one, anonymous) = (listeners.listen(&room, Some(&user)), listeners.listen(&room, None));
        for sequence in 1..=NOTICES_MAX as u64 + 1 {
            listeners.notice(&user, &notice(sequence));
        }
        assert!(matches!(one.next().await, News::Notice(notice) if notice.sequence == Sequence(2)));
        listeners.evict(&Eviction::close(room));
        for listening in [&one, &anonymous] {
            assert!(
                matches!(listening.next().await, News::Evicted(refusal) if refusal.code == Code::RoomClosed)
            );
        }
        drop((one, anonymous));
        let all = lock(&listeners.all);
        assert!(all.by_id.is_empty() && all.by_user.is_empty());
    }
}
