//! Users who were erased: a pseudonym takes the place of the id, which is never used again.

use barrage_protocol::UserId;
use ring::hmac;

/// Beginning of pseudonyms. No token may have such an id.
const ERASED: &str = "erased:";
/// Bytes of the hash in a pseudonym.
const HASH_BYTES: usize = 16;
/// Pseudonyms of one id: one for each time that a letter came in while the user was erased.
pub(super) const PSEUDONYMS_MAX: usize = 8;

/// Makes pseudonyms with the secret of the inbox: without it, nobody finds the id of a pseudonym by trying ids.
#[derive(Debug, Clone)]
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// Takes the secret of the inbox, which its tables keep.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Pseudonyms(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the id that the tables have for a user who was erased, and for no other.
    #[must_use]
    pub fn first(&self, user: &UserId) -> UserId {
        self.of(user, 0)
    }

    /// Returns a pseudonym of a user. The first one is there for each user who was erased.
    pub(super) fn of(&self, user: &UserId, number: usize) -> UserId {
        // The key signs cursors, too, whose texts begin otherwise.
        let tag = hmac::sign(&self.0, format!("{ERASED}{user}").as_bytes());
        let hash: String = tag.as_ref()[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        let number = if number == 0 { String::new() } else { format!(".{number}") };
        UserId::parse(&format!("{ERASED}{hash}{number}")).expect("a hash in hexadecimal digits is an id")
    }
}

/// Whether an id is a pseudonym.
pub(super) fn is_pseudonym(user: &UserId) -> bool {
    user.as_str().starts_with(ERASED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonym_is_the_same_for_a_user_and_another_in_another_inbox() {
        let (ann, bob): (UserId, UserId) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let (here, there) = (Pseudonyms::new(&[1; 32]), Pseudonyms::new(&[2; 32]));
        assert_eq!(here.of(&ann, 0), here.of(&ann, 0));
        for other in [here.of(&bob, 0), here.of(&ann, 1), there.of(&ann, 0), ann.clone()] {
            assert_ne!(here.of(&ann, 0), other);
        }
        assert!(is_pseudonym(&here.of(&ann, 7)) && !is_pseudonym(&ann));
        assert!(!here.of(&ann, 0).as_str().contains("ann"));
    }
}
