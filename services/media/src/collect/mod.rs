//! Collection: media that no message shows are removed, and those that an operator or a moderator has removed.
//!
//! The messages are the references: nothing counts them, so that no crash leaves a wrong count. A medium is first
//! **condemned** by a mark in its folder, then looked at once more, and only then erased, its record first. Whoever is
//! about to use a medium writes its folder first and looks for the mark then: one of the two sees the other.

mod folder;
mod run;
mod steps;

use barrage_http::ApiError;
use barrage_protocol::Digest;

use crate::media::Media;

pub(crate) use run::run;

/// Removes a medium at once.
pub(crate) async fn erase(media: &Media, digest: Digest) -> Result<(), ApiError> {
    steps::erase(media, digest).await.map_err(|error| crate::error::erasing(&error))
}
