//! Names of senders as viewers see them.

use std::borrow::Cow;

use barrage_http::ApiError;
use barrage_moderation::Named;
use barrage_protocol::Code;
use barrage_token::{Identity, Role};

use crate::compose::shown_name;
use crate::routes::Uplink;

impl Uplink {
    /// The sender with the name that viewers get: checked by the word lists, as texts are. Names
    /// of those who run the room are not checked. A name that a list refuses or holds refuses the
    /// post.
    pub(crate) fn shown_sender<'a>(&self, by: &'a Identity) -> Result<Cow<'a, Identity>, ApiError> {
        if by.role >= Role::Moderator {
            return Ok(Cow::Borrowed(by));
        }
        match self.moderator.check_name(&shown_name(by)) {
            Named::Plain => Ok(Cow::Borrowed(by)),
            Named::Masked(name) => Ok(Cow::Owned(Identity { name, ..by.clone() })),
            Named::Refused(hit) => {
                let message = format!("your name is not shown here ({}); take another name", hit.rule);
                Err(ApiError::new(Code::BadText, message))
            }
        }
    }
}
