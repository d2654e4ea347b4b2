//! Ids of guests, who have no account.

use barrage_protocol::UserId;

/// Beginning of the user ids that `POST /v1/guest` gives.
const GUEST: &str = "guest-";

/// Whether a user is a guest, whose id is new in each browser.
pub(crate) fn is_guest(user: &UserId) -> bool {
    user.as_str().starts_with(GUEST)
}
