//! The walk over all media, and the removal of those that were removed everywhere.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use barrage_blob::BlobName;
use barrage_protocol::Digest;
use tokio::time::MissedTickBehavior;

use super::folder::folders;
use super::steps::{self, StepError};
use crate::media::Media;
use crate::metrics::Collected;

/// Parts of the store that one walk goes through: the first two digits of the digests.
const PARTS: u16 = 256;
/// Maximum blobs of one part that are looked at, about 20 MB. Beyond, the rest of the part waits until some of these are
/// removed.
const BLOBS_MAX: usize = 100_000;
/// Time between two tries of a removal that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Runs until the shutdown: walks over the media where the tables can be asked, and removes what was removed everywhere.
pub(crate) async fn run(media: &Media) {
    tokio::join!(walk(media), remove(media));
}

async fn walk(media: &Media) {
    let Some(uses) = media.uses.clone() else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(media.config.walk_secs) / u32::from(PARTS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for part in (0..PARTS).cycle() {
        tokio::select! {
            _ = tick.tick() => {}
            () = media.shutdown.cancelled() => return,
        }
        let name = BlobName::parse(&format!("media/{part:02x}")).map_err(|error| error.to_string());
        let listed = match name {
            Ok(name) => media.blobs.list(&name, BLOBS_MAX).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match listed {
            Ok(listed) => {
                for (digest, folder) in folders(&listed) {
                    ended(media, steps::step(media, &*uses, digest, folder).await);
                }
            }
            Err(error) => {
                media.metrics.collected(Collected::Failed);
                tracing::warn!(%error, "the media of a part cannot be listed; the next walk tries again");
            }
        }
    }
}

/// Removes the media that the settings name, each once in this process.
async fn remove(media: &Media) {
    let mut erased: HashSet<Digest> = HashSet::new();
    loop {
        let removed: Arc<HashSet<Digest>> = media.denied.removed();
        let mut has_failed = false;
        // One whose removal was lifted may be removed again.
        erased.retain(|digest| removed.contains(digest));
        for digest in removed.iter() {
            if media.shutdown.is_cancelled() {
                return;
            }
            if erased.contains(digest) {
                continue;
            }
            let end = erase_if_there(media, *digest).await;
            has_failed |= end.is_err();
            if end.is_ok() {
                erased.insert(*digest);
            }
            ended(media, end);
        }
        tokio::select! {
            () = media.removals.notified() => {}
            () = tokio::time::sleep(AGAIN), if has_failed => {}
            () = media.shutdown.cancelled() => return,
        }
    }
}

async fn erase_if_there(media: &Media, digest: Digest) -> Result<Option<Collected>, StepError> {
    if !steps::is_there(media, digest).await? {
        return Ok(None);
    }
    steps::erase(media, digest).await.map(|()| Some(Collected::Removed))
}

fn ended(media: &Media, end: Result<Option<Collected>, StepError>) {
    match end {
        Ok(Some(end)) => media.metrics.collected(end),
        Ok(None) => {}
        Err(error) => {
            media.metrics.collected(Collected::Failed);
            tracing::warn!(%error, "a medium could not be removed; it is tried again");
        }
    }
}
