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
    #[cfg_attr(not(test), expect(dead_code, reason = "waits for revocations in the settings"))]
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
    #[cfg_attr(not(test), expect(dead_code, reason = "waits for revocations in the settings"))]
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
    let mut before: Arc<Settings> = Arc::default();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        let now = settings.borrow_and_update().clone();
        for (room, user) in new_kicks(&before, &now, unix_ms()) {
            evict(shared, Eviction::kick(room, user)).await;
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
    let is_new = |(key, restriction): &(&(RoomId, UserId), &barrage_bus::Restriction)| {
        restriction.kind == RestrictionKind::Kick
            && restriction.until_ms > now_ms
            && before.restrictions.get(*key) != Some(*restriction)
    };
    now.restrictions.iter().filter(is_new).map(|(key, _)| key.clone()).collect()
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
}
