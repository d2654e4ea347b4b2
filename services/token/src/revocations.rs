//! Revoked tokens: of one user or of all, minted before a moment.

use std::collections::HashMap;

use barrage_protocol::UserId;

/// Tokens that are refused although their signature and their claims are right.
///
/// A token is revoked when it was minted (`iat`) before the moment given here, or has no `iat`.
/// Moments are Unix times in seconds. A token of the same second as the revocation stays valid, so
/// that a user can sign in again at once.
///
/// The caller of [`Keyring::set_revocations`](crate::Keyring::set_revocations) bounds the number of
/// users. An entry may be removed when every token minted before its moment has expired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// The moments before which the tokens of a user are refused.
    pub by_user: HashMap<UserId, u64>,
    /// The moment before which the tokens of all users are refused, for a leaked key.
    pub all_before: Option<u64>,
}

impl Revocations {
    /// Whether a user's token that was minted at this time (`iat`) is refused.
    #[must_use]
    pub fn refuse(&self, user: &UserId, issued_at_secs: Option<u64>) -> bool {
        let moment = self.by_user.get(user).copied().max(self.all_before);
        moment.is_some_and(|moment| issued_at_secs.is_none_or(|issued| issued < moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[test]
    fn revocation_refuses_older_tokens_of_its_user_and_those_without_iat() {
        let revocations = Revocations { by_user: [(user("ann"), 100)].into(), all_before: None };
        for (name, issued, refused) in [
            ("ann", Some(99), true),
            ("ann", Some(100), false),
            ("ann", None, true),
            ("bob", Some(1), false),
            ("bob", None, false),
        ] {
            assert_eq!(revocations.refuse(&user(name), issued), refused, "{name} {issued:?}");
        }
    }

    #[test]
    fn later_of_the_two_moments_counts() {
        let by_user = [(user("ann"), 100), (user("bob"), 300)].into();
        let revocations = Revocations { by_user, all_before: Some(200) };
        assert!(revocations.refuse(&user("ann"), Some(199)));
        assert!(!revocations.refuse(&user("ann"), Some(200)));
        assert!(revocations.refuse(&user("bob"), Some(299)));
        assert!(revocations.refuse(&user("cid"), None));
    }
}
