//! All uploads of this process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barrage_protocol::UserId;
use parking_lot::Mutex;

use super::files::{self, Part};
use super::join;
use super::mark;
use super::spool_file::SpoolFile;
use super::upload::Upload;
use crate::upload::{Stage, UploadHead, UploadId};

/// Bounds of a spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpoolLimits {
    /// Bytes that unfinished and unchecked uploads may have together, by their stated lengths.
    pub(crate) bytes_max: u64,
    /// Uploads that are known, finished ones too.
    pub(crate) uploads_max: usize,
    /// Unfinished uploads and parts of one user.
    pub(crate) user_open_max: usize,
}

/// Which bound leaves no room for a new upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Bytes,
    Uploads,
    OfUser,
}

/// The uploads of this process, in a folder and in memory. Calls that touch the folder block.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    uploads: Mutex<HashMap<UploadId, Arc<Upload>>>,
}

impl Spool {
    /// Opens a folder, and reads the uploads that a process before this one left in it.
    pub(crate) fn open(folder: &Path, limits: SpoolLimits) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut uploads = HashMap::new();
        let mut others = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "head") {
                others.push(path);
                continue;
            }
            match read(folder, &path) {
                Ok(upload) => _ = uploads.insert(upload.head.id, upload),
                Err(error) => tracing::warn!(%error, file = %path.display(), "an upload cannot be read"),
            }
        }
        // What a crash left of an upload without its head, or of a check.
        others.retain(|path| {
            id_of(path).is_some_and(|id| !Part::Head.of(folder, id).exists() || path.is_dir())
        });
        others.iter().try_for_each(|path| files::remove_any(path))?;
        Ok(Spool { folder: folder.to_owned(), limits, uploads: Mutex::new(uploads) })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns an upload of a user. An upload of another user is not found, so that an id tells nothing.
    pub(crate) fn find(&self, id: UploadId, user: &UserId) -> Option<Arc<Upload>> {
        self.uploads.lock().get(&id).filter(|upload| upload.head.user == *user).cloned()
    }

    /// Whether an upload is known still: it was neither ended by its sender nor removed.
    pub(crate) fn knows(&self, id: UploadId) -> bool {
        self.uploads.lock().contains_key(&id)
    }

    /// Takes room for a new upload and makes it known. Its files are made by [`Spool::create`].
    pub(crate) fn admit(&self, head: UploadHead) -> Result<Arc<Upload>, NoRoom> {
        let mut uploads = self.uploads.lock();
        let kept = uploads.values().filter(|upload| upload.has_data());
        let bytes = kept.map(|upload| upload.length()).fold(head.length, u64::saturating_add);
        let is_open = |upload: &&Arc<Upload>| {
            upload.head.user == head.user && matches!(upload.stage(), Stage::Receiving | Stage::Whole)
        };
        if uploads.values().filter(is_open).count() >= self.limits.user_open_max {
            return Err(NoRoom::OfUser);
        }
        if uploads.len() >= self.limits.uploads_max {
            return Err(NoRoom::Uploads);
        }
        if bytes > self.limits.bytes_max {
            return Err(NoRoom::Bytes);
        }
        let upload = Upload::new(head, 0, Stage::Receiving);
        uploads.insert(upload.head.id, Arc::clone(&upload));
        Ok(upload)
    }

    /// Writes the files of a new upload. Blocks.
    pub(crate) fn create(&self, upload: &Upload) -> std::io::Result<()> {
        drop(SpoolFile::open(&self.folder, upload.head.id)?);
        files::write_json(&Part::Head.of(&self.folder, upload.head.id), &upload.head)
    }

    /// Writes the length of an upload that was created without one. Blocks; the caller has the turn.
    pub(crate) fn set_length(&self, upload: &Upload, length: u64) -> std::io::Result<()> {
        let head = UploadHead { length, is_deferred: false, ..upload.head.clone() };
        files::write_json(&Part::Head.of(&self.folder, upload.head.id), &head)?;
        upload.set_length(length);
        Ok(())
    }

    /// Opens the files of an upload. Blocks; the caller has the turn.
    pub(crate) fn file(&self, upload: &Upload) -> std::io::Result<SpoolFile> {
        SpoolFile::open(&self.folder, upload.head.id)
    }

    /// Joins the parts of an upload into its files. Blocks; the caller has the turns.
    pub(crate) fn join(&self, upload: &Upload) -> std::io::Result<SpoolFile> {
        join::join(&self.folder, &upload.head.parts, upload.head.id)
    }

    /// Returns the file with the bytes of an upload.
    pub(crate) fn data(&self, upload: &Upload) -> PathBuf {
        Part::Data.of(&self.folder, upload.head.id)
    }

    /// Writes the stage of an upload, and removes its bytes when they are needed no more. Blocks.
    pub(crate) fn set_stage(&self, upload: &Upload, stage: Stage) -> std::io::Result<()> {
        files::write_json(&Part::Stage.of(&self.folder, upload.head.id), &stage)?;
        upload.set_stage(stage);
        if !upload.has_data() {
            for part in [Part::Data, Part::Mark] {
                files::remove(&part.of(&self.folder, upload.head.id))?;
            }
        }
        Ok(())
    }

    /// Returns uploads that have all their bytes, and whose end was not written before a crash.
    pub(crate) fn unended(&self) -> Vec<Arc<Upload>> {
        let uploads = self.uploads.lock();
        let is_unended = |upload: &&Arc<Upload>| {
            upload.stage() == Stage::Receiving && upload.stated() == Some(upload.received().bytes)
        };
        uploads.values().filter(is_unended).cloned().collect()
    }

    /// Returns uploads that the check has not ended for, the oldest first.
    pub(crate) fn unchecked(&self) -> Vec<Arc<Upload>> {
        let uploads = self.uploads.lock();
        let waiting = uploads.values().filter(|upload| matches!(upload.stage(), Stage::Checking { .. }));
        let mut waiting: Vec<_> = waiting.cloned().collect();
        waiting.sort_by_key(|upload| upload.head.created_ms);
        waiting
    }

    /// Returns uploads about which the hook or a moderator decides.
    pub(crate) fn in_review(&self) -> Vec<Arc<Upload>> {
        let uploads = self.uploads.lock();
        let waits = |upload: &&Arc<Upload>| matches!(upload.stage(), Stage::InReview { .. });
        uploads.values().filter(waits).cloned().collect()
    }

    /// Returns uploads whose time is over.
    pub(crate) fn expired(&self, now_ms: u64) -> Vec<Arc<Upload>> {
        let uploads = self.uploads.lock();
        uploads.values().filter(|upload| upload.head.expires_ms <= now_ms).cloned().collect()
    }

    /// Makes an upload unknown. Its files are there until [`Spool::remove`].
    pub(crate) fn hide(&self, id: UploadId) {
        self.uploads.lock().remove(&id);
    }

    /// Forgets an upload and removes its files. Blocks; the caller has the turn.
    pub(crate) fn remove(&self, id: UploadId) -> std::io::Result<()> {
        self.uploads.lock().remove(&id);
        // The head goes last: after a crash, what is left is found and removed once more.
        for part in Part::ALL {
            files::remove(&part.of(&self.folder, id))?;
        }
        Ok(())
    }

    /// Returns the number of uploads, and the bytes that they hold on the disk.
    pub(crate) fn held(&self) -> (usize, u64) {
        let uploads = self.uploads.lock();
        let bytes = uploads.values().filter(|upload| upload.has_data()).map(|upload| upload.received().bytes);
        (uploads.len(), bytes.sum())
    }
}

/// Returns the id in the name of a file of this crate.
fn id_of(path: &Path) -> Option<UploadId> {
    UploadId::parse(path.file_stem()?.to_str()?).ok()
}

/// Reads an upload from its files.
fn read(folder: &Path, head: &Path) -> std::io::Result<Arc<Upload>> {
    let head: UploadHead =
        files::read_json(head)?.ok_or_else(|| std::io::Error::other("the file is gone"))?;
    let stage: Option<Stage> = files::read_json(&Part::Stage.of(folder, head.id))?;
    let mark = std::fs::read(Part::Mark.of(folder, head.id)).unwrap_or_default();
    let (stage, bytes) = match stage {
        Some(stage) => (stage, head.length),
        None if !head.parts.is_empty() => {
            // The parts are there still: the client asks for the join again.
            Part::ALL.iter().try_for_each(|part| files::remove(&part.of(folder, head.id)))?;
            return Err(std::io::Error::other("a join was cut short; its parts are kept"));
        }
        None => (Stage::Receiving, mark::newest(&mark).1.bytes),
    };
    Ok(Upload::new(head, bytes, stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Syncing;
    use crate::upload::Metadata;
    use barrage_protocol::Digest;

    const LIMITS: SpoolLimits = SpoolLimits { bytes_max: 1_000, uploads_max: 4, user_open_max: 2 };

    fn head(id: u8, user: &str, length: u64) -> UploadHead {
        UploadHead {
            id: UploadId::new([id; 16]),
            user: user.parse().unwrap(),
            length,
            is_deferred: false,
            metadata: Metadata::parse("filename YS5wbmc=").unwrap(),
            is_part: false,
            parts: Vec::new(),
            created_ms: u64::from(id),
            address: None,
            expires_ms: 1_000 + u64::from(id),
        }
    }

    fn begin(spool: &Spool, head: UploadHead) -> Arc<Upload> {
        let upload = spool.admit(head).unwrap();
        spool.create(&upload).unwrap();
        upload
    }

    #[test]
    fn uploads_are_read_again_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let (first, second) = (begin(&spool, head(1, "ann", 10)), begin(&spool, head(2, "ann", 5)));
        let mut file = spool.file(&first).unwrap();
        file.append(b"0123", Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        let digest = Digest::new([9; 32]);
        spool.set_stage(&second, Stage::Checking { digest }).unwrap();
        drop(spool);

        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let ann = "ann".parse().unwrap();
        let first = spool.find(first.head.id, &ann).unwrap();
        assert_eq!((first.received().bytes, first.stage()), (4, Stage::Receiving));
        assert_eq!(first.head, head(1, "ann", 10));
        let waiting = spool.unchecked();
        assert_eq!((waiting.len(), waiting[0].stage()), (1, Stage::Checking { digest }));
        assert!(spool.find(first.head.id, &"bob".parse().unwrap()).is_none(), "of another user");
    }

    #[test]
    fn crash_leaves_no_file_without_an_upload_and_no_upload_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let whole = begin(&spool, head(1, "ann", 4));
        let mut file = spool.file(&whole).unwrap();
        file.append(b"0123", Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        let joined = UploadHead { parts: vec![UploadId::new([1; 16])], ..head(2, "ann", 4) };
        begin(&spool, joined);
        let id = UploadId::new([7; 16]);
        for name in [format!("{id}.data"), format!("{id}.new"), "notes.txt".to_owned()] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.path().join(format!("{}.check", whole.head.id))).unwrap();
        drop(spool);
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let unended: Vec<_> = spool.unended().iter().map(|upload| upload.head.id).collect();
        assert_eq!(unended, [whole.head.id]);
        assert_eq!(spool.held().0, 1, "a join that was cut short is begun anew");
        let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
        left.sort();
        let own = ["data", "head", "mark"].map(|extension| format!("{}.{extension}", whole.head.id));
        assert_eq!(left, [&own[..], &["notes.txt".to_owned()]].concat());
    }

    #[test]
    fn length_that_is_stated_late_survives_a_restart_and_frees_the_rest_of_its_room() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let upload = begin(&spool, UploadHead { is_deferred: true, ..head(1, "ann", 900) });
        assert_eq!((upload.stated(), upload.length()), (None, 900));
        assert_eq!(spool.admit(head(2, "bob", 200)).unwrap_err(), NoRoom::Bytes);
        spool.set_length(&upload, 10).unwrap();
        spool.admit(head(2, "bob", 200)).unwrap();
        drop(spool);
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let upload = spool.find(upload.head.id, &"ann".parse().unwrap()).unwrap();
        assert_eq!((upload.stated(), upload.length()), (Some(10), 10));
    }

    #[test]
    fn each_bound_refuses_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        begin(&spool, head(1, "ann", 400));
        begin(&spool, head(2, "ann", 400));
        assert_eq!(spool.admit(head(3, "ann", 1)).unwrap_err(), NoRoom::OfUser);
        assert_eq!(spool.admit(head(3, "bob", 201)).unwrap_err(), NoRoom::Bytes);
        assert_eq!(spool.admit(head(3, "bob", u64::MAX)).unwrap_err(), NoRoom::Bytes);
        let third = begin(&spool, head(3, "bob", 100));
        begin(&spool, head(4, "bob", 100));
        assert_eq!(spool.admit(head(5, "carl", 0)).unwrap_err(), NoRoom::Uploads);
        spool.remove(third.head.id).unwrap();
        spool.admit(head(5, "carl", 100)).unwrap();
    }

    #[test]
    fn removed_and_refused_uploads_leave_no_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), LIMITS).unwrap();
        let upload = begin(&spool, head(1, "ann", 10));
        let refusal = barrage_protocol::code::Refusal::new(barrage_protocol::Code::UnsupportedMedia, "no");
        spool.set_stage(&upload, Stage::Refused { refusal }).unwrap();
        assert!(!spool.data(&upload).exists());
        assert_eq!(spool.held(), (1, 0));
        assert_eq!(spool.expired(1_000).len(), 0);
        assert_eq!(spool.expired(1_001).len(), 1);
        spool.remove(upload.head.id).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
