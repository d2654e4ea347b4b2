//! The last token of a connection, whose signature is checked once.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use barrage_protocol::RoomId;

use crate::claims::Identity;
use crate::error::TokenError;
use crate::keyring::{Keyring, Ring, unix_secs};

/// The last token that arrived on one connection and was accepted. One token at most: a further one
/// takes the place, as on the connection of a proxy.
#[derive(Debug, Default)]
pub struct LastToken(ArcSwapOption<Verified>);

/// A token with its caller, as long as nothing has changed by which it was accepted.
struct Verified {
    token: Box<str>,
    identity: Arc<Identity>,
    /// Keys and rules that accepted the token. Others may refuse it.
    ring: Arc<Ring>,
    /// Unix time in seconds of the verification. Before it, `nbf` would count again.
    at_secs: u64,
}

/// Shows no part of the token.
impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("user", &self.identity.user).finish_non_exhaustive()
    }
}

impl Verified {
    /// Whether a verification of `token` by `keyring` would accept it again.
    fn holds(&self, keyring: &Keyring, token: &str, now_secs: u64) -> bool {
        *self.token == *token
            && keyring.has_ring(&self.ring)
            && now_secs >= self.at_secs
            && now_secs <= self.identity.expires_at_secs.saturating_add(self.ring.leeway_secs)
            && !keyring.is_revoked(&self.identity)
    }
}

impl Keyring {
    /// Verifies a token for one room, as [`Keyring::verify_for`] does. The signature and the claims of the
    /// token that arrived last on the same connection are not checked again; its end, its rooms and the
    /// revocations are.
    ///
    /// # Errors
    /// Why the token is refused, as its bearer may learn it.
    pub fn verify_again(
        &self,
        token: &str,
        room: &RoomId,
        last: &LastToken,
    ) -> Result<Arc<Identity>, TokenError> {
        let now_secs = unix_secs();
        let known = last.0.load();
        let held = known.as_ref().filter(|known| known.holds(self, token, now_secs));
        if let Some(held) = held {
            self.check_room(&held.identity, room)?;
            return Ok(Arc::clone(&held.identity));
        }
        // Taken before the verification: keys that are replaced meanwhile make this entry useless at once.
        let ring = self.ring();
        let identity = Arc::new(self.verify(token)?);
        let (token, at_secs) = (token.into(), now_secs);
        last.0.store(Some(Arc::new(Verified { token, identity: Arc::clone(&identity), ring, at_secs })));
        self.check_room(&identity, room)?;
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Claims, Role, Rooms};
    use crate::config::TokenConfig;
    use crate::revocations::Revocations;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn ring(secret: &[u8]) -> Keyring {
        Keyring::from_secret(secret, &TokenConfig::default()).unwrap()
    }

    fn token(ring: &Keyring, user: &str, exp: u64) -> String {
        let (sub, rooms) = (user.parse().unwrap(), Rooms(vec!["demo".into()]));
        let (name, nbf, attrs, aud) = (None, None, None, String::new());
        ring.mint(Claims { sub, name, rooms, role: Role::Viewer, exp, nbf, attrs, aud }).unwrap()
    }

    #[test]
    fn known_token_is_accepted_without_another_check_of_its_signature() {
        let (ring, last, room) = (ring(SECRET), LastToken::default(), "demo".parse().unwrap());
        let token_a = token(&ring, "ann", 4_000_000_000);
        let first = ring.verify_again(&token_a, &room, &last).unwrap();
        let again = ring.verify_again(&token_a, &room, &last).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let token_b = token(&ring, "bob", 4_000_000_000);
        assert_eq!(ring.verify_again(&token_b, &room, &last).unwrap().user.as_str(), "bob");
        assert_eq!(ring.verify_again(&token_a, &room, &last).unwrap().user.as_str(), "ann");
        let forged = format!("{}x", &token_a[..token_a.len() - 1]);
        assert!(ring.verify_again(&forged, &room, &last).is_err());
    }

    #[test]
    fn known_token_is_refused_in_another_room_and_after_a_revocation() {
        let (ring, last, room) = (ring(SECRET), LastToken::default(), "demo".parse().unwrap());
        let token = token(&ring, "ann", 4_000_000_000);
        ring.verify_again(&token, &room, &last).unwrap();
        let other = "other".parse().unwrap();
        assert_eq!(ring.verify_again(&token, &other, &last), Err(TokenError::WrongRoom));
        let by_user = [("ann".parse().unwrap(), u64::MAX)].into();
        ring.set_revocations(Revocations { by_user, all_before: None });
        assert_eq!(ring.verify_again(&token, &room, &last), Err(TokenError::Revoked));
    }

    #[test]
    fn known_token_is_checked_again_by_other_keys_and_after_its_end() {
        let (own, last, room) = (ring(SECRET), LastToken::default(), "demo".parse().unwrap());
        let end = unix_secs() + 100;
        let token = token(&own, "ann", end);
        own.verify_again(&token, &room, &last).unwrap();
        let verified_at = last.0.load().as_ref().unwrap().at_secs;
        let held = |now_secs| last.0.load().as_ref().unwrap().holds(&own, &token, now_secs);
        let leeway_secs = TokenConfig::default().leeway_secs;
        assert!(held(verified_at) && held(end + leeway_secs));
        assert!(!held(end + leeway_secs + 1), "after its end");
        assert!(!held(verified_at - 1), "the clock stepped back");
        own.replace_keys(&ring(b"another secret of thirty-two byt"));
        assert_eq!(own.verify_again(&token, &room, &last), Err(TokenError::Invalid));
    }
}
