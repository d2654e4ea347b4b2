//! Evictions: one way for every cause and every transport to end a viewer's connection.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{RestrictionKind, Settings};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_token::TokenError;

use crate::beats::BEAT_EVERY;
use crate::gateway::{Shared, broadcast, unix_ms};
use crate::shard::Command;

/// Viewers that an eviction concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whom {
    Everyone,
    /// All viewers but the anonymous ones.
    Users,
    User(UserId),
}

/// Whose connections end, and why.
#[derive(Debug, Clone)]
pub(crate) struct Eviction {
    /// `None` is every room.
    pub(crate) room: Option<RoomId>,
    pub(crate) whom: Whom,
    pub(crate) refusal: Refusal,
}

impl Eviction {
    pub(crate) fn kick(room: RoomId, user: UserId) -> Self {
        Eviction { room: Some(room), whom: Whom::User(user), refusal: kicked() }
    }

    pub(crate) fn close(room: RoomId) -> Self {
        Eviction { room: Some(room), whom: Whom::Everyone, refusal: room_closed() }
    }

    /// Ends a room whose hub has failed; its viewers come back with backoff.
    pub(crate) fn failed(room: RoomId) -> Self {
        let refusal = Refusal::new(Code::Internal, "the room failed on this gateway; reconnect and resume");
        Eviction { room: Some(room), whom: Whom::Everyone, refusal }
    }

    /// Ends the connections whose tokens were revoked; those with newer tokens end as well,
    /// which cannot be told apart, and come back.
    pub(crate) fn revoked(whom: Whom) -> Self {
        Eviction { room: None, whom, refusal: TokenError::Revoked.into() }
    }

    /// Whether a connection of this user in this room ends.
    pub(crate) fn concerns(&self, room: Option<&RoomId>, user: Option<&UserId>) -> bool {
        let is_room = self.room.as_ref().is_none_or(|evicted| room == Some(evicted));
        is_room
            && match &self.whom {
                Whom::Everyone => true,
                Whom::Users => user.is_some(),
                Whom::User(evicted) => user == Some(evicted),
            }
    }
}

pub(crate) fn kicked() -> Refusal {
    Refusal::new(Code::Kicked, "a moderator removed you from this room")
}

pub(crate) fn room_closed() -> Refusal {
    Refusal::new(Code::RoomClosed, "the room is closed")
}

pub(crate) fn token_expired() -> Refusal {
    Refusal::new(Code::TokenExpired, "the token has expired; fetch a new one")
}

/// Ends the connections concerned: WebSockets by their shards, event streams and polls by the
/// listeners that they left.
pub(crate) async fn evict(shared: &Shared, eviction: Eviction) {
    let eviction = Arc::new(eviction);
    shared.listeners.evict(&eviction);
    broadcast(shared, || Command::Evict(Arc::clone(&eviction))).await;
}

/// Evicts whom a change of the settings concerns, until the gateway ends.
pub(crate) async fn run(shared: &Shared) {
    let mut settings = shared.bus.settings();
    // What was revoked before the start is refused by the keyring: nobody is here yet.
    let revocations = Arc::clone(&settings.borrow().revocations);
    let mut before = Arc::new(Settings { revocations, ..Settings::default() });
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        let now = settings.borrow_and_update().clone();
        for (room, user) in new_kicks(&before, &now, unix_ms()) {
            evict(shared, Eviction::kick(room, user)).await;
        }
        let revoked = new_revocations(&before, &now);
        if !revoked.is_empty() {
            // The keyring follows the same settings: it must refuse the tokens before their
            // bearers can come back.
            tokio::time::sleep(Duration::from_millis(2 * shared.config.window_ms)).await;
        }
        for whom in revoked {
            evict(shared, Eviction::revoked(whom)).await;
        }
        for room in new_closes(&before, &now) {
            // The signal that says so was published first; it is at most a window behind.
            tokio::time::sleep(Duration::from_millis(2 * shared.config.window_ms)).await;
            evict(shared, Eviction::close(room)).await;
        }
        before = now;
        loop {
            tokio::select! {
                changed = settings.changed() => match changed {
                    Ok(()) => break,
                    // The bus has ended: no setting changes any more.
                    Err(_) => return shared.ended.cancelled().await,
                },
                _ = beat.tick() => shared.parts.evictions.beat(),
                () = shared.ended.cancelled() => return,
            }
        }
    }
}

/// Kicks in force now that were not, or that were others, before.
fn new_kicks(before: &Settings, now: &Settings, now_ms: u64) -> Vec<(RoomId, UserId)> {
    let is_new = |(key, restrictions): &(&(RoomId, UserId), &barrage_bus::Restrictions)| {
        restrictions.until_ms(RestrictionKind::Kick, now_ms).is_some()
            && before.restrictions.get(*key).and_then(|it| it.kick_until_ms) != restrictions.kick_until_ms
    };
    now.restrictions.iter().filter(is_new).map(|(key, _)| key.clone()).collect()
}

/// Viewers whose tokens are revoked now and were not, or were until an earlier time, before.
fn new_revocations(before: &Settings, now: &Settings) -> Vec<Whom> {
    // The same allocation until it changes.
    if Arc::ptr_eq(&before.revocations, &now.revocations) {
        return Vec::new();
    }
    if now.revocations.all_before > before.revocations.all_before {
        return vec![Whom::Users];
    }
    let is_new = |(user, secs): &(&UserId, &u64)| before.revocations.by_user.get(*user) != Some(*secs);
    now.revocations.by_user.iter().filter(is_new).map(|(user, _)| Whom::User(user.clone())).collect()
}

/// Rooms that are closed now and were not before.
fn new_closes(before: &Settings, now: &Settings) -> Vec<RoomId> {
    let was_closed = |id: &RoomId| before.rooms.get(id).is_some_and(|room| room.closed);
    let closed = now.rooms.iter().filter(|(id, room)| room.closed && !was_closed(id));
    closed.map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_concern_the_room_and_the_user_that_they_name() {
        let (room, other): (RoomId, RoomId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let (user, stranger): (UserId, UserId) = ("u".parse().unwrap(), "v".parse().unwrap());
        let kick = Eviction::kick(room.clone(), user.clone());
        assert!(kick.concerns(Some(&room), Some(&user)));
        assert!(!kick.concerns(Some(&room), Some(&stranger)) && !kick.concerns(Some(&room), None));
        assert!(!kick.concerns(Some(&other), Some(&user)));
        let close = Eviction::close(room.clone());
        assert!(close.concerns(Some(&room), None) && !close.concerns(Some(&other), Some(&user)));
        let revoked = Eviction::revoked(Whom::User(user.clone()));
        assert!(revoked.concerns(Some(&other), Some(&user)) && revoked.concerns(None, Some(&user)));
        assert!(!revoked.concerns(Some(&other), None));
        let all = Eviction::revoked(Whom::Users);
        assert!(all.concerns(Some(&room), Some(&stranger)) && !all.concerns(Some(&room), None));
    }

    #[test]
    fn a_revocation_ends_connections_once() {
        let with = |by_user: &[(&str, u64)], all_before| {
            let by_user = by_user.iter().map(|(user, secs)| (user.parse().unwrap(), *secs)).collect();
            let revocations = Arc::new(barrage_bus::Revocations { by_user, all_before });
            Settings { revocations, ..Settings::default() }
        };
        let user = |name: &str| Whom::User(name.parse().unwrap());
        let (before, now) = (with(&[("u", 5)], None), with(&[("u", 5), ("v", 7)], None));
        assert_eq!(new_revocations(&before, &now), [user("v")]);
        assert_eq!(new_revocations(&now, &with(&[("u", 9), ("v", 7)], None)), [user("u")]);
        assert_eq!(new_revocations(&now, &with(&[], Some(9))), [Whom::Users]);
        assert!(new_revocations(&now, &now.clone()).is_empty());
    }
}
