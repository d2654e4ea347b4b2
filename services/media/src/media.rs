//! What the routes and tasks of the role share.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use barrage_blob::{BlobName, Blobs};
use barrage_cache::Cache;
use barrage_counters::Quota;
use barrage_guarded::BreakerMetrics;
use barrage_http::ApiError;
use barrage_moderation::MediaHook;
use barrage_protocol::code::Refusal;
use barrage_protocol::digest::hex;
use barrage_protocol::media::ReferenceAnswer;
use barrage_protocol::{Code, Digest, MediaView, UserId};
use barrage_token::{AddressKeys, Keyring, REFERENCE_SECS, Reference, Visibility};
use bytes::Bytes;
use prometheus::Registry;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asking::Asking;
use crate::config::MediaConfig;
use crate::denied::Denied;
use crate::error::{MediaError, disk, store};
use crate::marks::{CONDEMNED, LINGER_MS, RECORD, TOUCHED};
use crate::metrics::MediaMetrics;
use crate::quotas::{Counted, Quotas};
use crate::record::MediaRecord;
use crate::scan::Scanner;
use crate::spool::{Spool, SpoolLimits, Upload};
use crate::upload::{Received, Stage, Streams, UploadHead, check_length};
use crate::uses::Uses;

/// Records that are kept in memory, about 1 KB each; the one unused for the longest makes room.
const RECORDS_MAX: u64 = 20_000;
/// Time after which a record is read again: a medium that another process removed is gone after it.
const RECORD_LIFE: Duration = Duration::from_secs(30);
/// Writes of a medium's mark of use, at most, within the time after which it counts as unused.
const TOUCHES: u64 = 24;
/// Largest record in bytes.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// What the role is made of.
pub struct MediaParts {
    /// Settings of the table `[media]`.
    pub config: MediaConfig,
    /// Folder of unfinished uploads, for this process alone.
    pub spool: PathBuf,
    /// Store of media, which processes may share.
    pub blobs: Blobs,
    /// Secrets that sign addresses; the same for every process.
    pub addresses: AddressKeys,
    /// Keys that verify tokens of users.
    pub keyring: Arc<Keyring>,
    /// Counts uploads of a day.
    pub quota: Arc<dyn Quota>,
    /// Tables of messages, which say what is used; without them, nothing unused is removed.
    pub uses: Option<Arc<dyn Uses>>,
    /// Program that checks pictures, with [`crate::CHILD_ARGUMENT`] as its one argument.
    pub checker: PathBuf,
    /// Service that decides about media of the kinds in `media.hook`; `None` without one.
    pub hook: Option<MediaHook>,
    /// Metrics of circuit breakers of this process.
    pub breakers: BreakerMetrics,
    /// Ends the tasks, and the requests that add bytes.
    pub shutdown: CancellationToken,
}

/// The role media of one process.
pub struct Media {
    pub(crate) config: MediaConfig,
    pub(crate) spool: Arc<Spool>,
    pub(crate) blobs: Blobs,
    pub(crate) addresses: AddressKeys,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) quotas: Quotas,
    pub(crate) streams: Arc<Streams>,
    pub(crate) denied: Denied,
    pub(crate) metrics: MediaMetrics,
    pub(crate) checker: PathBuf,
    pub(crate) shutdown: CancellationToken,
    /// Requests that add bytes, beside their connections. The shutdown waits for them.
    pub(crate) tasks: TaskTracker,
    /// Wakes the check when an upload has all its bytes.
    pub(crate) checkable: Notify,
    /// Wakes the removal when more media were removed everywhere.
    pub(crate) removals: Notify,
    /// Asks the hook about media; `None` without one.
    pub(crate) asking: Option<Asking>,
    /// Wakes the uploads that wait when there is a decision.
    pub(crate) decided: Notify,
    /// Scans uploads; `None` without `media.check.clamd`.
    pub(crate) scanner: Option<Scanner>,
    pub(crate) uses: Option<Arc<dyn Uses>>,
    /// Media that were touched lately.
    touched: Cache<Digest, ()>,
    /// Whether a picture is an avatar, as far as it was asked lately.
    pub(crate) avatars: Cache<Digest, bool>,
    /// Draws the challenges of instant uploads.
    pub(crate) known_secret: ring::hmac::Key,
    records: Cache<Digest, Arc<MediaRecord>>,
}

impl Media {
    /// Reads the uploads that an earlier process left. Starts nothing.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn open(parts: MediaParts, registry: &Registry) -> Result<Arc<Self>, MediaError> {
        let config = parts.config;
        let limits = SpoolLimits {
            bytes_max: config.spool_bytes_max,
            uploads_max: config.uploads_max,
            user_open_max: config.user_open_max,
        };
        let spool = Spool::open(&parts.spool, limits)
            .map_err(|error| MediaError::Spool { folder: parts.spool.display().to_string(), error })?;
        Ok(Arc::new(Media {
            spool: Arc::new(spool),
            blobs: parts.blobs,
            known_secret: parts.addresses.derived("challenges of instant uploads"),
            addresses: parts.addresses,
            keyring: parts.keyring,
            quotas: Quotas::new(parts.quota, &config)?,
            streams: Streams::new(config.user_uploads_max, config.user_parts_max),
            denied: Denied::open(config.check.denied_file.clone())?,
            metrics: MediaMetrics::new(registry)?,
            checker: parts.checker,
            shutdown: parts.shutdown,
            tasks: TaskTracker::new(),
            checkable: Notify::new(),
            removals: Notify::new(),
            decided: Notify::new(),
            asking: parts.hook.map(Asking::new),
            scanner: config.check.clamd.as_ref().map(|clamd| Scanner::new(clamd, &parts.breakers)),
            uses: parts.uses,
            touched: Cache::new(RECORDS_MAX, Duration::from_millis(config.unused_secs * 1_000 / TOUCHES)),
            avatars: Cache::new(RECORDS_MAX, RECORD_LIFE),
            records: Cache::new(RECORDS_MAX, RECORD_LIFE),
            config,
        }))
    }

    /// Removes an upload that becomes no medium, and gives its bytes of the day back.
    pub(crate) async fn give_up(&self, upload: &Arc<Upload>) {
        self.forget(upload).await;
        if upload.uncount() {
            self.give_back(&upload.head, upload.length(), upload.received().bytes).await;
        }
    }

    /// Gives the bytes of an upload back to the quotas of a day.
    pub(crate) async fn give_back(&self, head: &UploadHead, bytes: u64, arrived_bytes: u64) {
        let age_ms = barrage_clock::unix_ms().saturating_sub(head.created_ms);
        let (user, address) = (&head.user, head.address);
        let age = Duration::from_millis(age_ms);
        self.quotas.give_back(Counted { user, address, bytes, arrived_bytes, age }).await;
    }

    /// Sets the length of an upload that was created without one, and gives back the rest of what was reserved. The
    /// caller has the turn.
    ///
    /// # Errors
    /// A refusal of a length that is not the one stated before, and of one that does not fit.
    pub(crate) async fn state_length(
        &self,
        upload: &Arc<Upload>,
        received: Received,
        length: u64,
    ) -> Result<(), ApiError> {
        match upload.stated() {
            Some(stated) if stated == length => return Ok(()),
            Some(stated) => {
                let message = format!("Upload-Length: the upload has {stated} bytes, as was stated before");
                return Err(ApiError::new(Code::BadRequest, message));
            }
            None => check_length(length, received, upload.head.length)?,
        }
        let (spool, stated) = (Arc::clone(&self.spool), Arc::clone(upload));
        let written = tokio::task::spawn_blocking(move || spool.set_length(&stated, length)).await;
        written.map_err(disk)?.map_err(disk)?;
        let UploadHead { user, address, length: reserved, created_ms, .. } = &upload.head;
        let age = Duration::from_millis(barrage_clock::unix_ms().saturating_sub(*created_ms));
        let counted = Counted { user, address: *address, bytes: *reserved, arrived_bytes: length, age };
        self.quotas.give_back_rest(counted).await;
        Ok(())
    }

    /// Ends an upload by a refusal, and gives its bytes of the day back.
    pub(crate) async fn refuse(&self, upload: &Arc<Upload>, refusal: Refusal) -> Result<(), ApiError> {
        self.set_stage(upload, Stage::Refused { refusal }).await?;
        if upload.uncount() {
            self.give_back(&upload.head, upload.length(), upload.length()).await;
        }
        Ok(())
    }

    /// Removes an upload once the request that adds to it has ended.
    pub(crate) async fn forget(&self, upload: &Arc<Upload>) {
        // Unknown first, so that no check begins again between its end and the removal.
        self.spool.hide(upload.head.id);
        let turn = upload.turn().await;
        let (spool, id) = (Arc::clone(&self.spool), upload.head.id);
        let removed = tokio::task::spawn_blocking(move || spool.remove(id)).await;
        if let Err(error) = removed.map_err(std::io::Error::other).and_then(|removed| removed) {
            tracing::warn!(%error, "files of an upload could not be removed");
        }
        drop(turn);
    }

    /// Writes the stage of an upload.
    pub(crate) async fn set_stage(&self, upload: &Arc<Upload>, stage: Stage) -> Result<(), ApiError> {
        let (spool, upload) = (Arc::clone(&self.spool), Arc::clone(upload));
        tokio::task::spawn_blocking(move || spool.set_stage(&upload, stage))
            .await
            .map_err(disk)?
            .map_err(disk)
    }

    /// Wakes the task that checks uploads.
    pub(crate) fn wake_check(&self) {
        self.checkable.notify_one();
    }

    /// Sets the media that were removed everywhere. They are no longer delivered, and their bytes are removed.
    pub fn set_removed(&self, removed: HashSet<Digest>) {
        self.denied.set_removed(removed);
        self.removals.notify_one();
    }

    /// Returns the time in milliseconds after which a medium without a use is removed.
    pub(crate) const fn unused_ms(&self) -> u64 {
        self.config.unused_secs * 1_000
    }

    /// Forgets the record of a medium that is gone.
    pub(crate) async fn forget_record(&self, digest: Digest) {
        self.records.remove(&digest).await;
        self.touched.remove(&digest).await;
        self.avatars.remove(&digest).await;
    }

    /// Notes that somebody is about to use a medium, so that it is not removed meanwhile.
    pub(crate) async fn touch(&self, digest: Digest) -> Result<(), ApiError> {
        if self.touched.get(&digest).await.is_some() {
            return Ok(());
        }
        self.blobs.put(&Media::blob(digest, TOUCHED)?, Bytes::from_static(b"1")).await.map_err(store)?;
        // Written first, looked for then: a removal marks first, and looks for a use then.
        if self.condemned_ms(digest).await?.is_some() {
            let message =
                "the medium is being removed, because no message showed it; upload it again in two minutes";
            return Err(ApiError::new(Code::NotFound, message));
        }
        self.touched.insert(digest, ()).await;
        Ok(())
    }

    /// Returns when a removal marked a medium.
    pub(crate) async fn condemned_ms(&self, digest: Digest) -> Result<Option<u64>, ApiError> {
        self.blobs.written_ms(&Media::blob(digest, CONDEMNED)?).await.map_err(store)
    }

    /// Returns whether a medium may be written: no removal of it is under way. Removes the mark of one that is over.
    pub(crate) async fn may_write(&self, digest: Digest) -> Result<bool, ApiError> {
        let Some(at_ms) = self.condemned_ms(digest).await? else { return Ok(true) };
        let is_over = at_ms.saturating_add(LINGER_MS) <= barrage_clock::unix_ms();
        if is_over && self.record(digest).await?.is_none() {
            self.blobs.delete(&Media::blob(digest, CONDEMNED)?).await.map_err(store)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Refuses a digest that the operator has denied.
    pub(crate) fn refuse_denied(&self, digest: Digest) -> Result<(), ApiError> {
        if self.denied.has(digest) {
            return Err(ApiError::new(Code::Forbidden, "this file is not allowed here"));
        }
        Ok(())
    }

    /// Returns the URL of a path on this process; relative unless `media.base_url` is set.
    pub(crate) fn url(&self, path: &str) -> String {
        let base = self.config.base_url.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{base}{path}")
    }

    /// Returns a medium with addresses that are signed now.
    pub(crate) fn shown(&self, record: &MediaRecord, visibility: Visibility) -> MediaView {
        let now_secs = barrage_clock::unix_ms() / 1_000;
        let mut view = self.addresses.with_addresses(&record.view(visibility), now_secs);
        view.variants.iter_mut().for_each(|variant| variant.url = self.url(&variant.url));
        view
    }

    /// Signs a reference to a medium for a user.
    pub(crate) async fn referred(
        &self,
        record: &MediaRecord,
        visibility: Visibility,
        user: &UserId,
    ) -> Result<ReferenceAnswer, ApiError> {
        self.touch(record.digest).await?;
        let media = self.shown(record, visibility);
        let life_secs = REFERENCE_SECS.min(self.config.unused_secs / 2);
        let reference = Reference::new(user.clone(), media, barrage_clock::unix_ms() / 1_000, life_secs);
        let signed = self.addresses.refer(&reference);
        let signed = signed.ok_or_else(|| ApiError::new(Code::Internal, "the medium has no reference"))?;
        let expires_ms = reference.expires_secs * 1_000;
        Ok(ReferenceAnswer { reference: signed, expires_ms, media: reference.media })
    }

    /// Returns the name of a blob of a medium: a variant, or the record.
    pub(crate) fn blob(digest: Digest, part: &str) -> Result<BlobName, ApiError> {
        let text = digest.to_string();
        let folder = text.get(..2).unwrap_or_default();
        BlobName::parse(&format!("media/{folder}/{text}/{part}"))
            .map_err(|_| ApiError::new(Code::NotFound, "there is no such variant"))
    }

    /// Returns the name of the blob that says that a user has uploaded a medium, or that it is public (`None`).
    pub(crate) fn reference(digest: Digest, user: Option<&UserId>) -> Result<BlobName, ApiError> {
        let text = digest.to_string();
        let folder = text.get(..2).unwrap_or_default();
        // A user's id may have characters that a name has not.
        let of_user = user.map(|user| {
            let hash = ring::digest::digest(&ring::digest::SHA256, user.as_str().as_bytes());
            hex(&hash.as_ref()[..16])
        });
        let owner = of_user.unwrap_or_else(|| "public".to_owned());
        BlobName::parse(&format!("refs/{folder}/{text}/{owner}"))
            .map_err(|_| ApiError::new(Code::Internal, "a reference has no name"))
    }

    /// Notes that the user of an upload has uploaded a medium, or that it is everybody's.
    pub(crate) async fn own(&self, head: &UploadHead, digest: Digest) -> Result<(), ApiError> {
        let is_public = head.metadata.visibility == Visibility::Public;
        let name = Media::reference(digest, Some(&head.user).filter(|_| !is_public))?;
        self.blobs.put(&name, Bytes::from_static(b"1")).await.map_err(store)
    }

    /// Returns how a user may have a medium: as a public one, or because the user has uploaded it before.
    pub(crate) async fn visible_to(
        &self,
        digest: Digest,
        user: &UserId,
    ) -> Result<Option<Visibility>, ApiError> {
        for (owner, visibility) in [(None, Visibility::Public), (Some(user), Visibility::Private)] {
            let name = Media::reference(digest, owner)?;
            if self.blobs.size(&name).await.map_err(store)?.is_some() {
                return Ok(Some(visibility));
            }
        }
        Ok(None)
    }

    /// Reads the record of a medium; `None` when there is no such medium.
    pub(crate) async fn record(&self, digest: Digest) -> Result<Option<Arc<MediaRecord>>, ApiError> {
        if let Some(known) = self.records.get(&digest).await {
            return Ok(Some(known));
        }
        let name = Media::blob(digest, RECORD)?;
        let Some(bytes) = self.blobs.get(&name, RECORD_BYTES_MAX).await.map_err(store)? else {
            return Ok(None);
        };
        let record: MediaRecord = serde_json::from_slice(&bytes).map_err(|error| {
            tracing::error!(%error, blob = %name, "the record of a medium cannot be read");
            ApiError::new(Code::Internal, "the record of the medium cannot be read")
        })?;
        let record = Arc::new(record);
        self.records.insert(digest, Arc::clone(&record)).await;
        Ok(Some(record))
    }
}
