//! The task that ends uploads about which the hook or a moderator has decided.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Digest};

use super::ask;
use super::waiting::{Awaits, awaited, is_denied};
use crate::media::Media;
use crate::metrics::CheckEnd;
use crate::spool::{Turn, Upload};
use crate::upload::Stage;

/// Time between two looks for decisions that other processes have taken.
const LOOK: Duration = Duration::from_secs(5);

/// Ends uploads until the shutdown, one after the other.
pub(crate) async fn run(media: &Arc<Media>) {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = media.shutdown.cancelled() => return,
            () = media.decided.notified() => {}
            _ = tick.tick() => {}
        }
        let waiting = media.spool.in_review();
        media.metrics.reviews_waiting.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        for upload in waiting {
            let Stage::InReview { digest } = upload.stage() else { continue };
            if let Err(refusal) = settle(media, &upload, digest).await {
                tracing::warn!(why = refusal.0.message, "a review could not be ended; it is tried again");
                break;
            }
        }
    }
}

/// Ends an upload if there is a decision about its medium, and begins to ask the hook whose answer is missing.
pub(super) async fn settle(media: &Arc<Media>, upload: &Arc<Upload>, digest: Digest) -> Result<(), ApiError> {
    if is_denied(&media.blobs, digest).await? {
        let Some(_turn) = turn_in_review(upload, digest).await else { return Ok(()) };
        media.metrics.checked(CheckEnd::Denied);
        return media.refuse(upload, denied()).await;
    }
    match awaited(&media.blobs, digest).await? {
        Some(Awaits::Hook) => {
            ask::begin(media, upload, digest);
            return Ok(());
        }
        Some(Awaits::Moderator) => return Ok(()),
        None => {}
    }
    let Some(_turn) = turn_in_review(upload, digest).await else { return Ok(()) };
    if media.record(digest).await?.is_none() {
        let message = "nobody has decided about the file in time; upload it again";
        return media.refuse(upload, Refusal::new(Code::UploadExpired, message)).await;
    }
    media.own(&upload.head, digest).await?;
    media.metrics.checked(CheckEnd::Ready);
    media.set_stage(upload, Stage::Ready { digest }).await
}

/// Takes the turn of an upload whose medium waits; `None` when somebody else has ended the upload meanwhile.
pub(super) async fn turn_in_review(upload: &Upload, digest: Digest) -> Option<Turn> {
    let turn = upload.turn().await?;
    (upload.stage() == Stage::InReview { digest }).then_some(turn)
}

/// Returns the refusal of a file that a moderator or the hook has denied.
pub(crate) fn denied() -> Refusal {
    Refusal::new(Code::Forbidden, "the moderation of this site has refused this file")
}
