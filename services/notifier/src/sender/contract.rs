//! What each sender can do, and what several of them need.

use std::path::Path;

use async_trait::async_trait;
use barrage_push::{Note, Verdict};
use barrage_store::{DeviceRecord, PushService};

use crate::error::NotifierError;
use crate::exchange::{Answer, Origins, Outgoing};

/// How one service takes notifications.
#[async_trait]
pub(crate) trait Sender: Send + Sync {
    /// Name and key, as clients see them.
    fn service(&self) -> PushService;

    /// The hosts of the service.
    fn origins(&self) -> &Origins;

    /// Whether the operator chose the hosts. What strangers' hosts answer must neither alert nor fill logs.
    fn is_own(&self) -> bool {
        true
    }

    /// Makes the request for a device; an error says what becomes of the notification without one.
    async fn request(&self, device: &DeviceRecord, note: &Note, now_secs: u64) -> Result<Outgoing, Verdict>;

    /// Makes the request that lowers the number at the app's symbol, without a sound or text. `None` where the service has
    /// no such request: there, the app does it when it is opened.
    async fn badge(
        &self,
        device: &DeviceRecord,
        badge: u32,
        now_secs: u64,
    ) -> Option<Result<Outgoing, Verdict>> {
        let _unused = (device, badge, now_secs);
        None
    }

    /// Reads the answer to a request.
    fn read(&self, answer: &Answer) -> Verdict;
}

/// Reads a file with a key.
pub(super) fn read_file(path: &Path, setting: &'static str) -> Result<String, NotifierError> {
    std::fs::read_to_string(path).map_err(|source| NotifierError::File {
        path: path.to_owned(),
        setting,
        source,
    })
}

/// A notification that no request can be made for.
pub(super) fn refused(text: &str) -> Verdict {
    Verdict::Refused(text.to_owned())
}
