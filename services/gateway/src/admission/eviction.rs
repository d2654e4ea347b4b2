use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_token::TokenError;

/// Viewers that an eviction closes: all, those with a token, or one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Everyone,
    /// All viewers with a token, when the tokens of all users are revoked.
    Users,
    User(UserId),
}

/// Close of all connections in a scope, on every transport. All causes use it.
#[derive(Debug, Clone)]
pub(crate) struct Eviction {
    /// Room whose viewers are closed; `None` is every room.
    pub(crate) room: Option<RoomId>,
    pub(crate) scope: Scope,
    pub(crate) refusal: Refusal,
}

impl Eviction {
    pub(crate) fn kick(room: RoomId, user: UserId) -> Self {
        Eviction { room: Some(room), scope: Scope::User(user), refusal: kicked() }
    }

    pub(crate) fn close(room: RoomId) -> Self {
        Eviction { room: Some(room), scope: Scope::Everyone, refusal: room_closed() }
    }

    /// Closes the connections of a user whose view of a room has changed; they come back at once.
    pub(crate) fn refresh(room: RoomId, user: UserId) -> Self {
        Eviction { room: Some(room), scope: Scope::User(user), refusal: refresh() }
    }

    /// Closes the viewers of a room whose hub has failed; they come back with backoff.
    pub(crate) fn failed(room: RoomId) -> Self {
        let refusal = Refusal::new(Code::Internal, "the room failed on this gateway; reconnect and resume");
        Eviction { room: Some(room), scope: Scope::Everyone, refusal }
    }

    /// Closes the connections of users whose tokens were revoked. Connections with newer tokens
    /// close as well, because a connection does not keep its token; they come back.
    pub(crate) fn revoked(scope: Scope) -> Self {
        Eviction { room: None, scope, refusal: TokenError::Revoked.into() }
    }

    /// Whether a connection of this user in this room closes.
    pub(crate) fn concerns(&self, room: Option<&RoomId>, user: Option<&UserId>) -> bool {
        let is_room = self.room.as_ref().is_none_or(|evicted| room == Some(evicted));
        is_room
            && match &self.scope {
                Scope::Everyone => true,
                Scope::Users => user.is_some(),
                Scope::User(evicted) => user == Some(evicted),
            }
    }
}

pub(crate) fn kicked() -> Refusal {
    Refusal::new(Code::Kicked, "a moderator removed you from this room")
}

pub(crate) fn refresh() -> Refusal {
    Refusal::new(Code::Refresh, "your rights in this room have changed; reconnect and resume")
}

pub(crate) fn room_closed() -> Refusal {
    Refusal::new(Code::RoomClosed, "the room is closed")
}

pub(crate) fn token_expired() -> Refusal {
    Refusal::new(Code::TokenExpired, "the token has expired; fetch a new one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eviction_closes_the_connections_of_its_room_and_scope() {
        let (room, other): (RoomId, RoomId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let (user, stranger): (UserId, UserId) = ("u".parse().unwrap(), "v".parse().unwrap());
        let kick = Eviction::kick(room.clone(), user.clone());
        assert!(kick.concerns(Some(&room), Some(&user)));
        assert!(!kick.concerns(Some(&room), Some(&stranger)) && !kick.concerns(Some(&room), None));
        assert!(!kick.concerns(Some(&other), Some(&user)));
        let close = Eviction::close(room.clone());
        assert!(close.concerns(Some(&room), None) && !close.concerns(Some(&other), Some(&user)));
        let revoked = Eviction::revoked(Scope::User(user.clone()));
        assert!(revoked.concerns(Some(&other), Some(&user)) && revoked.concerns(None, Some(&user)));
        assert!(!revoked.concerns(Some(&other), None));
        let all = Eviction::revoked(Scope::Users);
        assert!(all.concerns(Some(&room), Some(&stranger)) && !all.concerns(Some(&room), None));
    }
}
