use std::sync::Arc;

use barrage_bus::{RestrictionKind, Settings};
use barrage_http::AllowedOrigins;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_token::{Identity, Keyring, Role};

use super::{kicked, room_closed};

/// Rules of access to the gateway's rooms.
pub struct Access {
    /// Keys that verify the tokens of viewers and the tickets of their joins.
    pub keyring: Arc<Keyring>,
    /// Whether viewers without a token may watch.
    pub anonymous: bool,
    /// Hosts whose pages may connect, beside the gateway's own.
    pub origins: AllowedOrigins,
}

impl Access {
    /// Verifies a viewer's token for a room; `None` for an anonymous viewer.
    pub(crate) fn identify(&self, room: &RoomId, token: Option<&str>) -> Result<Option<Identity>, Refusal> {
        let identity = match token {
            Some(token) => Some(self.keyring.verify_for(token, room)?),
            None if self.anonymous => None,
            None => {
                let refusal =
                    Refusal::new(Code::Unauthorized, "this gateway requires a token; send one in `join`");
                return Err(refusal);
            }
        };
        check_role(room, identity.as_ref())?;
        Ok(identity)
    }

    /// Verifies the token of a user for its inbox, which belongs to no room: any room of the token will do.
    pub(crate) fn identify_user(&self, token: Option<&str>) -> Result<Identity, Refusal> {
        let token =
            token.ok_or_else(|| Refusal::new(Code::Unauthorized, "a viewer without a token has no inbox"))?;
        let identity = self.keyring.verify(token)?;
        if is_probe(Some(&identity)) {
            return Err(Refusal::new(Code::Forbidden, "a probe has no inbox"));
        }
        Ok(identity)
    }
}

/// Whether a viewer is a probe, which counts nowhere.
pub(crate) fn is_probe(identity: Option<&Identity>) -> bool {
    identity.is_some_and(|identity| identity.role == Role::Probe)
}

/// Checks that probes join their room alone, and that no other viewer joins it.
pub(crate) fn check_role(room: &RoomId, identity: Option<&Identity>) -> Result<(), Refusal> {
    match (room.is_probe(), is_probe(identity)) {
        (true, true) | (false, false) => Ok(()),
        (true, false) => Err(Refusal::new(Code::UnknownRoom, "there is no such room")),
        (false, true) => Err(Refusal::new(Code::Forbidden, "a probe may only join the room of the probes")),
    }
}

/// Returns the Unix seconds after which a viewer's connection ends, on every transport: the end of
/// its token and the leeway.
pub(crate) fn ends_at_secs(access: &Access, identity: &Identity) -> u64 {
    identity.expires_at_secs.saturating_add(access.keyring.leeway_secs())
}

/// Checks that the room exists and is open to the user. `now_ms` is Unix time.
pub(crate) fn check_room(
    settings: &Settings,
    room: &RoomId,
    user: Option<&UserId>,
    now_ms: u64,
) -> Result<(), Refusal> {
    if room.is_probe() {
        return Ok(());
    }
    match settings.rooms.get(room) {
        None => return Err(Refusal::new(Code::UnknownRoom, "there is no such room")),
        Some(found) if found.closed => return Err(room_closed()),
        Some(_) => {}
    }
    if let Some(user) = user
        && let Some(restriction) = settings.restriction(room, user, now_ms)
        && restriction.kind == RestrictionKind::Kick
    {
        return Err(kicked());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use barrage_bus::{Restrictions, RoomSettings};
    use barrage_token::TokenConfig;

    use super::*;

    fn access(anonymous: bool) -> Access {
        let keyring = Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap();
        Access { keyring: Arc::new(keyring), anonymous, origins: AllowedOrigins::new(&[]) }
    }

    #[test]
    fn viewers_without_a_token_are_anonymous_or_refused() {
        let room = "demo".parse().unwrap();
        assert!(access(true).identify(&room, None).unwrap().is_none());
        assert_eq!(access(false).identify(&room, None).unwrap_err().code, Code::Unauthorized);
        assert!(access(true).identify(&room, Some("no token")).is_err());
    }

    #[test]
    fn unknown_and_closed_rooms_and_kicked_users_are_refused() {
        let (room, user): (RoomId, UserId) = ("demo".parse().unwrap(), "u".parse().unwrap());
        let mut settings = Settings::default();
        let code = |settings: &Settings, user: Option<&UserId>, now_ms| {
            check_room(settings, &room, user, now_ms).map_err(|refusal| refusal.code)
        };
        assert_eq!(code(&settings, None, 0), Err(Code::UnknownRoom));
        settings.rooms.insert(room.clone(), RoomSettings::default());
        let kick = Restrictions { kick_until_ms: Some(500), ..Restrictions::default() };
        settings.restrictions.insert((room.clone(), user.clone()), kick);
        assert_eq!(code(&settings, Some(&user), 499), Err(Code::Kicked));
        assert_eq!(code(&settings, Some(&user), 501), Ok(()));
        assert_eq!(code(&settings, None, 499), Ok(()));
        settings.rooms.insert(room.clone(), RoomSettings { closed: true, ..RoomSettings::default() });
        assert_eq!(code(&settings, None, 0), Err(Code::RoomClosed));
    }
}
