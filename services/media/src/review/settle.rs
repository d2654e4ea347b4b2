//! The task that ends uploads about which a moderator has decided.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Digest};

use super::waiting::{is_denied, is_waiting};
use crate::media::Media;
use crate::metrics::CheckEnd;
use crate::spool::Upload;
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

/// Ends an upload if a moderator has decided about its medium.
async fn settle(media: &Media, upload: &Arc<Upload>, digest: Digest) -> Result<(), ApiError> {
    if is_denied(media, digest).await? {
        let Some(_turn) = upload.turn().await else { return Ok(()) };
        media.metrics.checked(CheckEnd::Denied);
        return media.refuse(upload, denied()).await;
    }
    if is_waiting(media, digest).await? {
        return Ok(());
    }
    let Some(_turn) = upload.turn().await else { return Ok(()) };
    if media.record(digest).await?.is_none() {
        let message = "no moderator has looked at the file in time; upload it again";
        return media.refuse(upload, Refusal::new(Code::UploadExpired, message)).await;
    }
    media.own(&upload.head, digest).await?;
    media.metrics.checked(CheckEnd::Ready);
    media.set_stage(upload, Stage::Ready { digest }).await
}

/// Returns the refusal of a file that a moderator has denied.
pub(crate) fn denied() -> Refusal {
    Refusal::new(Code::Forbidden, "a moderator has refused this file")
}
