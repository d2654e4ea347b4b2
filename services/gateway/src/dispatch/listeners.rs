use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrage_bus::UserHash;
use barrage_clock::steady_ms;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Message, RoomId, UserId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::admission::{Eviction, Scope};
use crate::mail::{MailBox, MailLimits, Next};

/// Notices that wait for one listener. Beyond, the oldest is dropped; it stays unacknowledged and
/// comes with the next connect.
const NOTICES_MAX: usize = 32;
/// Bells of one event stream: one a second after the first two. What rings meanwhile is one bell.
const BELLS: MailLimits = MailLimits { frames_per_s: 1, bytes_max: 0 };
/// Time after which a bell that waits for its budget is looked at again.
const BELL_WAIT: Duration = Duration::from_millis(500);

/// News for one event stream or poll.
#[derive(Debug)]
pub(crate) enum News {
    /// The listener was evicted: its connection must close with this refusal.
    Evicted(Refusal),
    /// Message for the user alone. Beyond `NOTICES_MAX` unread ones the oldest is dropped.
    Notice(Arc<Message>),
    /// The user's inbox has changed; with the time in milliseconds over which clients spread their requests.
    Bell(Option<u64>),
}

#[derive(Debug)]
struct Listener {
    /// Room of the connection; `None` for one that is for the inbox alone.
    room: Option<RoomId>,
    user: Option<UserId>,
    inbox: Mutex<Inbox>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    evicted: Option<Refusal>,
    notices: VecDeque<Arc<Message>>,
    /// Bells that are owed; `None` for a listener that is not attached.
    bells: Option<Box<MailBox>>,
}

impl Listener {
    fn update(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.inbox.lock());
        self.wake.notify_one();
    }

    /// Rings a listener that is attached.
    fn ring(&self, spread_ms: Option<u32>) {
        self.update(|inbox| {
            if let Some(bells) = &mut inbox.bells {
                bells.ring(spread_ms);
            }
        });
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
    pub(crate) fn listen(self: &Arc<Self>, room: Option<&RoomId>, user: Option<&UserId>) -> Listening {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::new(Listener {
            room: room.cloned(),
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
            if eviction.concerns(listener.room.as_ref(), listener.user.as_ref()) {
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

    /// Rings attached listeners at once.
    pub(crate) fn ring(&self, ids: &[u64]) {
        if ids.is_empty() {
            return;
        }
        let all = self.all.lock();
        ids.iter().filter_map(|id| all.by_id.get(id)).for_each(|listener| listener.ring(None));
    }

    /// Rings all attached listeners, whose clients spread their requests over a time.
    pub(crate) fn ring_all(&self, spread: Duration) {
        let spread_ms = u32::try_from(spread.as_millis()).ok();
        self.all.lock().by_id.values().for_each(|listener| listener.ring(spread_ms));
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
    /// Lets the listener be rung for its user's mail.
    pub(crate) fn attach(&self, user: UserHash) {
        let bells = MailBox::new(user, steady_ms(), BELLS);
        self.listener.inbox.lock().bells = Some(Box::new(bells));
    }

    /// Waits for the next news; an eviction comes before notices, and these before a bell. Cancel-safe.
    pub(crate) async fn next(&self) -> News {
        loop {
            let (news, has_bell) = self.take();
            if let Some(news) = news {
                return news;
            }
            let woken = self.listener.wake.notified();
            if has_bell {
                _ = tokio::time::timeout(BELL_WAIT, woken).await;
            } else {
                woken.await;
            }
        }
    }

    /// Returns the next news, and whether a bell waits for its budget.
    fn take(&self) -> (Option<News>, bool) {
        let mut inbox = self.listener.inbox.lock();
        if let Some(refusal) = inbox.evicted.take() {
            return (Some(News::Evicted(refusal)), false);
        }
        if let Some(message) = inbox.notices.pop_front() {
            return (Some(News::Notice(message)), false);
        }
        let Some(bells) = &mut inbox.bells else { return (None, false) };
        match bells.next(steady_ms(), BELLS) {
            Some(Next::Bell(spread_ms)) => (Some(News::Bell(spread_ms)), false),
            Some(Next::Frame(_)) | None => (None, bells.has_waiting()),
        }
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
        let (one, anonymous) =
            (listeners.listen(Some(&room), Some(&user)), listeners.listen(Some(&room), None));
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

    #[test]
    fn attached_listener_is_rung_once_a_second_and_others_never() {
        let listeners = Arc::new(Listeners::default());
        let user: UserId = "u".parse().unwrap();
        let (attached, other) = (listeners.listen(None, Some(&user)), listeners.listen(None, Some(&user)));
        attached.attach(UserHash::of(&user));
        for _ in 0..1_000 {
            listeners.ring(&[attached.id, other.id, 77]);
        }
        assert!(matches!(attached.take(), (Some(News::Bell(None)), _)));
        assert!(matches!(attached.take(), (None, false)), "all that rang before is one bell");
        listeners.ring_all(Duration::from_secs(10));
        assert!(matches!(attached.take(), (Some(News::Bell(Some(10_000))), _)));
        listeners.ring(&[attached.id]);
        assert!(matches!(attached.take(), (None, true)), "its budget is used up");
        assert!(matches!(other.take(), (None, false)));
        let room: RoomId = "a".parse().unwrap();
        listeners.evict(&Eviction::close(room));
        assert!(matches!(attached.take(), (None, true)), "no room concerns it");
        listeners.evict(&Eviction::revoked(Scope::User(user)));
        assert!(matches!(attached.take(), (Some(News::Evicted(_)), _)));
    }
}
