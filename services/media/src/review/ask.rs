//! The task that asks the hook about one medium, and carries out the answer.

use std::sync::Arc;
use std::time::Duration;

use barrage_http::ApiError;
use barrage_moderation::{Action, MediaFacts, MediaJudgement, MediaQuestion};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Digest, UserId};
use barrage_token::SignedPath;

use super::decide::deny;
use super::settle::{settle, turn_in_review};
use super::waiting::{self, Waiting};
use crate::asking::Asking;
use crate::collect::erase;
use crate::media::Media;
use crate::metrics::CheckEnd;
use crate::record::MediaRecord;
use crate::spool::Upload;
use crate::upload::Stage;

/// Life of the address in a question, in seconds.
const ADDRESS_SECS: u64 = 300;
/// Time between two questions about one medium while the hook does not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// Milliseconds after which a sender may upload a file again that was refused because the hook did not answer. Until then
/// the removal of the file has not ended.
const RETRY_MS: u64 = 150_000;

/// What a judgement means for the medium of an upload.
enum Step {
    /// The mark in the store says what follows.
    Decided,
    /// The upload was refused, and no decision about the medium is kept.
    Refused,
    /// The hook is asked again.
    Again,
}

/// Begins to ask about the medium of an upload, unless a task of this process asks about it already. The task ends with
/// the shutdown, and the next process asks again.
pub(crate) fn begin(media: &Arc<Media>, upload: &Arc<Upload>, digest: Digest) {
    let Some(turn) = media.asking.as_ref().and_then(|asking| asking.turn(digest)) else { return };
    let (media, upload) = (Arc::clone(media), Arc::clone(upload));
    let tasks = media.tasks.clone();
    tasks.spawn(async move {
        let asked = tokio::select! {
            () = media.shutdown.cancelled() => return,
            asked = ask(&media, &upload, digest) => asked,
        };
        drop(turn);
        match asked {
            Err(refusal) => {
                let why = refusal.0.message;
                tracing::warn!(why, "the answer of the hook could not be kept; it is asked again");
            }
            Ok(()) if has_others(&media, &upload, digest) => media.decided.notify_one(),
            Ok(()) => {}
        }
    });
}

/// Whether further uploads of the same file wait in this process.
fn has_others(media: &Media, upload: &Upload, digest: Digest) -> bool {
    let waits =
        |other: &Arc<Upload>| other.head.id != upload.head.id && other.stage() == Stage::InReview { digest };
    media.spool.in_review().iter().any(waits)
}

/// Asks until there is a decision, or the upload is gone.
async fn ask(media: &Arc<Media>, upload: &Arc<Upload>, digest: Digest) -> Result<(), ApiError> {
    let Some(asking) = &media.asking else { return Ok(()) };
    while media.spool.knows(upload.head.id) {
        // A moderator may have decided meanwhile, or another process has asked.
        let unanswered = waiting::unanswered(&media.blobs, digest).await?;
        let (Some(_), Some(record)) = (unanswered, media.record(digest).await?) else {
            return settle(media, upload, digest).await;
        };
        let judgement = judge(media, asking, &record, &upload.head.user).await;
        // The hook may have taken seconds: what was decided meanwhile stays.
        let Some(waiting) = waiting::unanswered(&media.blobs, digest).await? else {
            return settle(media, upload, digest).await;
        };
        match apply(media, upload, &waiting, judgement).await? {
            Step::Decided => return settle(media, upload, digest).await,
            Step::Refused => return Ok(()),
            Step::Again => tokio::time::sleep(AGAIN).await,
        }
    }
    Ok(())
}

/// Asks the hook once, with an address of the largest form.
async fn judge(media: &Media, asking: &Asking, record: &MediaRecord, user: &UserId) -> MediaJudgement {
    let Some(form) = record.variants.last() else {
        return MediaJudgement::Review { reason: Some("the medium has no form to look at".into()) };
    };
    let path = SignedPath { digest: record.digest, variant: &form.name };
    let ends_secs = barrage_clock::unix_ms() / 1_000 + ADDRESS_SECS;
    let url = media.url(&media.addresses.sign_until(path, ends_secs));
    let facts = MediaFacts {
        digest: record.digest,
        kind: record.kind,
        media_type: &form.media_type,
        size: form.length,
        url: &url,
    };
    asking.judge(&MediaQuestion { user, media: facts }, &media.metrics).await
}

async fn apply(
    media: &Media,
    upload: &Arc<Upload>,
    waiting: &Waiting,
    judgement: MediaJudgement,
) -> Result<Step, ApiError> {
    let digest = waiting.digest;
    match judgement {
        MediaJudgement::Allow => allow(media, waiting).await?,
        MediaJudgement::Review { reason } => waiting::leave(&media.blobs, waiting, reason).await?,
        MediaJudgement::Deny { reason } => {
            tracing::info!(%digest, ?reason, "the hook denied a medium");
            deny(media, digest).await?;
        }
        MediaJudgement::Away { fallback, error } => {
            tracing::debug!(%digest, error, ?fallback, "the hook did not answer about a medium; its fallback decides");
            match fallback {
                Action::Hold => return Ok(Step::Again),
                Action::Review => waiting::leave(&media.blobs, waiting, None).await?,
                Action::Refuse => return refuse(media, upload, digest).await.map(|()| Step::Refused),
                // `mask` is no fallback: the configuration refuses it.
                Action::Admit | Action::Mask => allow(media, waiting).await?,
            }
        }
    }
    Ok(Step::Decided)
}

/// Makes a medium free, unless a moderator looks at it as well.
async fn allow(media: &Media, waiting: &Waiting) -> Result<(), ApiError> {
    if media.config.review.covers(waiting.kind) {
        return waiting::leave(&media.blobs, waiting, None).await;
    }
    waiting::remove(&media.blobs, waiting.digest).await
}

/// Refuses an upload because the hook did not answer. That is no denial: the file may be uploaded again.
async fn refuse(media: &Media, upload: &Arc<Upload>, digest: Digest) -> Result<(), ApiError> {
    let mut refusal = Refusal::new(Code::Unavailable, "files cannot be judged now; upload it again later");
    refusal.retry_after_ms = Some(RETRY_MS);
    {
        let Some(_turn) = turn_in_review(upload, digest).await else { return Ok(()) };
        media.metrics.checked(CheckEnd::Refused);
        media.refuse(upload, refusal).await?;
    }
    // After a crash in between, the mark stays: nobody can send the medium, and it is collected as an unused one.
    erase(media, digest).await?;
    waiting::remove(&media.blobs, digest).await
}
