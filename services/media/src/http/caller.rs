//! The user whose upload a request is about.

use barrage_http::{ApiError, bearer};
use barrage_protocol::Code;
use barrage_token::{Identity, Role, Visibility};
use http::HeaderMap;

use crate::media::Media;

/// Start of the ids of guests, who have no account.
const GUEST: &str = "guest-";

/// Verifies the token of a request. The token may be for any room.
pub(super) fn caller(media: &Media, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let token = bearer(headers).ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
    })?;
    let identity = media.keyring.verify(token)?;
    if identity.role == Role::Probe {
        return Err(ApiError::new(Code::Forbidden, "a probe uploads nothing"));
    }
    if identity.user.as_str().starts_with(GUEST) && !media.config.guests {
        return Err(ApiError::new(
            Code::Forbidden,
            "guests may not upload here (media.guests); log in first",
        ));
    }
    Ok(identity)
}

/// Refuses a public medium of a user who runs no room.
pub(super) fn check_visibility(by: &Identity, visibility: Visibility) -> Result<(), ApiError> {
    if visibility == Visibility::Public && by.role < Role::Host {
        let message = "a public medium (a sticker, an emote) needs the role host; leave visibility out";
        return Err(ApiError::new(Code::Forbidden, message));
    }
    Ok(())
}
