use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barrage_protocol::code::Refusal;
use barrage_protocol::{Message, RoomId, UserId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::admission::{Eviction, Scope};

/// Notices that wait for one listener. Beyond, the oldest is dropped; it stays unacknowledged and
/// comes with the next connect.
const NOTICES_MAX: usize = 32;

/// News for one event stream or poll.
#[derive(Debug)]
pub(crate) enum News {
    /// The listener was evicted: its connection must close with this refusal.
    Evicted(Refusal),
    /// Message for the user alone. Beyond `NOTICES_MAX` unread ones the oldest is dropped.
    Notice(Arc<Message>),
}

#[derive(Debug)]
struct Listener {
    room: RoomId,
    user: Option<UserId>,
    inbox: Mutex<Inbox>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    evicted: Option<Refusal>,
    notices: VecDeque<Arc<Message>>,
}

impl Listener {
    fn update(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.inbox.lock());
        self.wake.notify_one();
    }
}

/// Event streams and polls under way. No shard owns them, so each of them registers a listener here
/// for evictions and notices. Bounded by the viewers that the gateway admits.
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

impl All {
    fn of_user(&self, user: &UserId) -> impl Iterator<Item = &Arc<Listener>> {
        self.by_user.get(user).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }
}

impl Listeners {
    /// Registers a listener. The caller checks the room afterwards: the listener misses evictions
    /// from before.
    pub(crate) fn listen(self: &Arc<Self>, room: &RoomId, user: Option<&UserId>) -> Listening {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::new(Listener {
            room: room.clone(),
            user: user.cloned(),
            inbox: Mutex::default(),
            wake: Notify::new(),
        });
        let mut all = self.all.lock();
        all.by_id.insert(id, Arc::clone(&listener));
        if let Some(user) = user {
            all.by_user.entry(user.clone()).or_default().push(id);
        }
        drop(all);
        Listening { listeners: Arc::clone(self), listener, id }
    }

    /// Closes the connections that the eviction concerns.
    pub(crate) fn evict(&self, eviction: &Eviction) {
        let all = self.all.lock();
        let close = |listener: &Arc<Listener>| {
            if eviction.concerns(Some(&listener.room), listener.user.as_ref()) {
                listener.update(|inbox| inbox.evicted = Some(eviction.refusal.clone()));
            }
        };
        match &eviction.scope {
            Scope::User(user) => all.of_user(user).for_each(close),
            Scope::Everyone | Scope::Users => all.by_id.values().for_each(close),
        }
    }

    /// Closes one listener's connection. A listener that has gone already is ignored.
    pub(crate) fn evict_one(&self, id: u64, refusal: Refusal) {
        if let Some(listener) = self.all.lock().by_id.get(&id) {
            listener.update(|inbox| inbox.evicted = Some(refusal));
        }
    }

    /// Gives a notice to the user's listeners.
    pub(crate) fn notify(&self, user: &UserId, message: &Arc<Message>) {
        let all = self.all.lock();
        for listener in all.of_user(user) {
            listener.update(|inbox| {
                if inbox.notices.len() >= NOTICES_MAX {
                    inbox.notices.pop_front();
                }
                inbox.notices.push_back(Arc::clone(message));
            });
        }
    }
}

/// Registration of one listener; dropping it ends the registration.
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
        let mut inbox = self.listener.inbox.lock();
        let evicted = inbox.evicted.take().map(News::Evicted);
        evicted.or_else(|| inbox.notices.pop_front().map(News::Notice))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut all = self.listeners.all.lock();
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
            trace: None,
            body: "{}".into(),
        })
    }

    #[tokio::test]
    async fn listeners_get_their_news_and_are_forgotten_when_dropped() {
        let listeners = Arc::new(Listeners::default());
        let (room, user): (RoomId, UserId) = ("a".parse().unwrap(), "u".parse().unwrap());
        let (one, anonymous) = (listeners.listen(&room, Some(&user)), listeners.listen(&room, None));
        for sequence in 1..=NOTICES_MAX as u64 + 1 {
            listeners.notify(&user, &notice(sequence));
        }
        assert!(matches!(one.next().await, News::Notice(notice) if notice.sequence == Sequence(2)));
        listeners.evict(&Eviction::close(room));
        for listening in [&one, &anonymous] {
            assert!(
                matches!(listening.next().await, News::Evicted(refusal) if refusal.code == Code::RoomClosed)
            );
        }
        drop((one, anonymous));
        let all = listeners.all.lock();
        assert!(all.by_id.is_empty() && all.by_user.is_empty());
    }
}
