//! Roles that a room gives to users, and the roles of tokens that the room has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use barrage_protocol::UserId;
use barrage_protocol::action::RoomRole;
use serde::{Deserialize, Serialize};

use super::error::ChangeError;

/// Roles that one room gives at most; a further one is refused.
pub const ROLES_PER_ROOM_MAX: usize = 100;
/// Users whose tokens have a role, of which a room remembers at most so many.
const SEEN_PER_ROOM_MAX: usize = 100;

/// The roles of one room. A clone shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct RoomRoles(Arc<Stored>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    given: BTreeMap<UserId, RoomRole>,
    /// Roles of tokens that posted or acted in the room. They give no right, and only say on whom a
    /// moderator must not act.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<UserId, RoomRole>,
}

impl From<Stored> for RoomRoles {
    fn from(stored: Stored) -> Self {
        RoomRoles(Arc::new(stored))
    }
}

impl From<RoomRoles> for Stored {
    fn from(roles: RoomRoles) -> Self {
        Arc::unwrap_or_clone(roles.0)
    }
}

impl RoomRoles {
    /// Returns the role that the room gave to a user; `Viewer` without one.
    #[must_use]
    pub fn given(&self, user: &UserId) -> RoomRole {
        self.0.given.get(user).copied().unwrap_or_default()
    }

    /// Lists the roles that the room gave, in the order of the users' ids.
    pub fn all_given(&self) -> impl Iterator<Item = (&UserId, RoomRole)> {
        self.0.given.iter().map(|(user, role)| (user, *role))
    }

    /// Returns the role of the user's token when the room has seen one; it may have ended since.
    #[must_use]
    pub fn seen(&self, user: &UserId) -> RoomRole {
        self.0.seen.get(user).copied().unwrap_or_default()
    }

    /// Returns whether the role of a token need not be remembered: the room knows this or a greater
    /// one, or remembers as many as it can.
    #[must_use]
    pub fn has_seen(&self, user: &UserId, role: RoomRole) -> bool {
        match self.0.seen.get(user) {
            Some(seen) => *seen >= role,
            None => self.0.seen.len() >= SEEN_PER_ROOM_MAX,
        }
    }

    pub(crate) fn give(&self, user: &UserId, role: RoomRole) -> Result<RoomRoles, ChangeError> {
        let mut stored = Stored::clone(&self.0);
        if role == RoomRole::Viewer {
            stored.given.remove(user);
        } else {
            stored.given.insert(user.clone(), role);
        }
        // Taking a role back is possible at the maximum.
        if stored.given.len() > ROLES_PER_ROOM_MAX {
            return Err(ChangeError::RolesFull);
        }
        Ok(stored.into())
    }

    /// Remembers the role of a token. Beyond the maximum it is not remembered.
    pub(crate) fn see(&self, user: &UserId, role: RoomRole) -> RoomRoles {
        let mut stored = Stored::clone(&self.0);
        if stored.seen.contains_key(user) || stored.seen.len() < SEEN_PER_ROOM_MAX {
            stored.seen.insert(user.clone(), role);
        }
        stored.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        format!("u{n}").parse().unwrap()
    }

    #[test]
    fn a_room_gives_a_bounded_number_of_roles_and_takes_them_back() {
        let mut roles = RoomRoles::default();
        for n in 0..ROLES_PER_ROOM_MAX {
            roles = roles.give(&user(n), RoomRole::Moderator).unwrap();
        }
        assert_eq!(roles.give(&user(1_000), RoomRole::Moderator), Err(ChangeError::RolesFull));
        roles = roles.give(&user(3), RoomRole::Viewer).unwrap();
        roles = roles.give(&user(1_000), RoomRole::Host).unwrap();
        assert_eq!((roles.given(&user(3)), roles.given(&user(1_000))), (RoomRole::Viewer, RoomRole::Host));
        let stored = serde_json::to_string(&roles).unwrap();
        assert_eq!(serde_json::from_str::<RoomRoles>(&stored).unwrap(), roles);
    }

    #[test]
    fn a_role_of_a_token_gives_no_right_and_their_number_is_bounded() {
        let mut roles = RoomRoles::default().see(&user(0), RoomRole::Host);
        assert_eq!((roles.given(&user(0)), roles.seen(&user(0))), (RoomRole::Viewer, RoomRole::Host));
        for n in 0..2 * SEEN_PER_ROOM_MAX {
            roles = roles.see(&user(n), RoomRole::Moderator);
        }
        assert_eq!(roles.0.seen.len(), SEEN_PER_ROOM_MAX);
        assert!(roles.has_seen(&user(1), RoomRole::Moderator) && !roles.has_seen(&user(1), RoomRole::Host));
        assert!(roles.has_seen(&user(1_000), RoomRole::Host), "nothing is written at the maximum");
    }
}
