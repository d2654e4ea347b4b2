//! Media in messages: references that senders give, and addresses that readers get.

use std::sync::Arc;

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MediaKind, MediaReference, MediaView, UserId};
use barrage_token::AddressKeys;
use serde_json::value::RawValue;

/// Reads references to media and signs addresses, without a question to the role media. Without keys, messages have no
/// media.
#[derive(Clone)]
pub(crate) struct MediaLinks {
    keys: Option<Arc<AddressKeys>>,
}

impl MediaLinks {
    pub(crate) const fn new(keys: Option<Arc<AddressKeys>>) -> Self {
        MediaLinks { keys }
    }

    /// Returns the medium that a sender refers to, without addresses.
    ///
    /// # Errors
    /// A refusal of a reference that is false, has ended or is of another user, and of all where there are no media.
    pub(crate) fn resolve(&self, reference: &MediaReference, by: &UserId) -> Result<MediaView, Refusal> {
        Ok(self.keys()?.resolve(reference, by, now_secs())?.media)
    }

    /// Returns the picture that a sender refers to, with addresses.
    ///
    /// # Errors
    /// As [`MediaLinks::resolve`], and for a medium of another kind.
    pub(crate) fn picture(&self, reference: &MediaReference, by: &UserId) -> Result<MediaView, Refusal> {
        let media = self.resolve(reference, by)?;
        if media.kind != MediaKind::Image {
            return Err(Refusal::new(Code::BadRequest, "media: a room takes pictures and stickers alone"));
        }
        Ok(self.keys()?.with_addresses(&media, now_secs()))
    }

    /// Returns a body with addresses that are signed now; `None` for a body that stays as it is.
    pub(crate) fn renewed(&self, body: &RawValue) -> Option<Box<RawValue>> {
        let renewed = self.keys.as_ref()?.renewed(body.get(), |_| false, now_secs())?;
        RawValue::from_string(renewed).ok()
    }

    fn keys(&self) -> Result<&AddressKeys, Refusal> {
        let none = || Refusal::new(Code::Forbidden, "media: this server takes no pictures in messages");
        self.keys.as_deref().ok_or_else(none)
    }
}

fn now_secs() -> u64 {
    barrage_clock::unix_ms() / 1_000
}
