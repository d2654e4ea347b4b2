//! The role of a user in a room: the greater one of the token's and of the room's. Pure.

use std::borrow::Cow;

use barrage_bus::Settings;
use barrage_protocol::action::{GivenRole, RolesAnswer, RoomRole};
use barrage_protocol::{RoomId, UserId};
use barrage_token::{Identity, Role};

/// Returns the caller with the role in this room. A probe has no other role than its own.
pub(crate) fn in_room<'a>(settings: &Settings, room: &RoomId, by: &'a Identity) -> Cow<'a, Identity> {
    let Some(roles) = settings.roles.get(room) else { return Cow::Borrowed(by) };
    let given = role(roles.given(&by.user));
    if by.role == Role::Probe || given <= by.role {
        return Cow::Borrowed(by);
    }
    Cow::Owned(Identity { role: given, ..by.clone() })
}

/// Returns the greatest role that a user is known to have in a room: given by the room, or of a token
/// that posted or acted there. A token that was never used there is not known.
pub(crate) fn known_role(settings: &Settings, room: &RoomId, user: &UserId) -> Role {
    let roles = settings.roles.get(room);
    roles.map_or(Role::Viewer, |roles| role(roles.given(user).max(roles.seen(user))))
}

/// Lists the roles that a room gave, in the order of the users' ids.
pub(crate) fn given_roles(settings: &Settings, room: &RoomId) -> RolesAnswer {
    let given = |(user, role): (&UserId, RoomRole)| GivenRole { user: user.clone(), role };
    let roles = settings.roles.get(room).map(|roles| roles.all_given().map(given).collect());
    RolesAnswer { roles: roles.unwrap_or_default() }
}

/// Returns the role that a room remembers of a token; `None` for one without rights to protect.
pub(crate) fn remembered(role: Role) -> Option<RoomRole> {
    match role {
        Role::Probe | Role::Viewer => None,
        Role::Moderator => Some(RoomRole::Moderator),
        Role::Host | Role::Admin => Some(RoomRole::Host),
    }
}

/// Returns the role of a token that has the same rights in the room.
pub(crate) fn role(role: RoomRole) -> Role {
    match role {
        RoomRole::Viewer => Role::Viewer,
        RoomRole::Moderator => Role::Moderator,
        RoomRole::Host => Role::Host,
    }
}

#[cfg(test)]
mod tests {
    use barrage_bus::{BusConfig, Change};
    use barrage_token::Rooms;

    use super::*;

    #[test]
    fn the_greater_role_counts_in_its_room_alone() {
        let (room, user): (RoomId, UserId) = ("r".parse().unwrap(), "u".parse().unwrap());
        let mut settings = Settings::default();
        let give = Change::Role { room: room.clone(), user: user.clone(), role: RoomRole::Moderator };
        settings.apply(&give, &BusConfig::default(), 0).unwrap();
        let of = |room: &RoomId, role| {
            let (name, rooms) = (String::new(), Rooms(vec![]));
            let (expires_at_secs, issued_at_secs) = (0, None);
            let user = user.clone();
            let by = Identity { user, name, role, rooms, expires_at_secs, issued_at_secs, attrs: None };
            in_room(&settings, room, &by).role
        };
        assert_eq!((of(&room, Role::Viewer), of(&room, Role::Host)), (Role::Moderator, Role::Host));
        assert_eq!(of(&room, Role::Probe), Role::Probe);
        assert_eq!(of(&"other".parse().unwrap(), Role::Viewer), Role::Viewer);
        assert_eq!(known_role(&settings, &room, &user), Role::Moderator);
    }
}
