//! The bytes of one upload, with the hash over them and the mark of what is synced.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::Digest as _;

use super::files::{self, Part};
use super::mark::{self, Progress};
use crate::upload::UploadId;

/// Bytes after which data and mark are synced: a client sends no more than these again after a crash.
pub(crate) const SYNC_BYTES: u64 = 1 << 20;

/// When appended bytes are synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncing {
    /// Each time that [`SYNC_BYTES`] have come.
    AsTheyCome,
    /// By [`SpoolFile::sync`] alone, because the bytes may be taken back.
    AtTheEnd,
}

/// The open files of one upload. All calls block.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    data: File,
    mark: File,
    sequence: u64,
    progress: Progress,
    synced_bytes: u64,
}

impl SpoolFile {
    /// Opens the files, and cuts off bytes that are not in the mark.
    pub(crate) fn open(folder: &Path, id: UploadId) -> std::io::Result<Self> {
        let data = files::open(&Part::Data.of(folder, id))?;
        let mark_path = Part::Mark.of(folder, id);
        let mark = files::open(&mark_path)?;
        let (sequence, progress) = mark::newest(&std::fs::read(&mark_path)?);
        let synced_bytes = progress.bytes;
        if data.metadata()?.len() < synced_bytes {
            return Err(std::io::Error::other("the data of an upload is shorter than its mark"));
        }
        data.set_len(synced_bytes)?;
        Ok(SpoolFile { data, mark, sequence, progress, synced_bytes })
    }

    /// Returns what has been appended.
    pub(crate) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Appends bytes, and syncs them when enough have come.
    pub(crate) fn append(&mut self, bytes: &[u8], syncing: Syncing) -> std::io::Result<()> {
        self.data.write_all_at(bytes, self.progress.bytes)?;
        self.progress.hash.update(bytes);
        self.progress.bytes += bytes.len() as u64;
        let is_due = self.progress.bytes - self.synced_bytes >= SYNC_BYTES;
        if is_due && syncing == Syncing::AsTheyCome {
            self.sync()?;
        }
        Ok(())
    }

    /// Syncs the data, then the mark of it.
    pub(crate) fn sync(&mut self) -> std::io::Result<()> {
        if self.progress.bytes == self.synced_bytes {
            return Ok(());
        }
        self.data.sync_data()?;
        self.sequence += 1;
        let slot = mark::encode(self.sequence, &self.progress);
        self.mark.write_all_at(&slot, mark::place(self.sequence))?;
        self.mark.sync_data()?;
        self.synced_bytes = self.progress.bytes;
        Ok(())
    }

    /// Takes back what was appended after `progress`. None of it has been synced.
    pub(crate) fn take_back(&mut self, progress: Progress) -> std::io::Result<()> {
        self.data.set_len(progress.bytes)?;
        self.progress = progress;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sha2::Sha256;

    use super::*;

    const ID: UploadId = UploadId::new([1; 16]);

    #[test]
    fn crash_loses_less_than_one_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3_500_000_u32).map(|n| (n % 253) as u8).collect();
        let mut file = SpoolFile::open(folder.path(), ID).unwrap();
        for piece in bytes.chunks(48 * 1024) {
            file.append(piece, Syncing::AsTheyCome).unwrap();
        }
        // A crash: no sync at the end.
        drop(file);
        let mut file = SpoolFile::open(folder.path(), ID).unwrap();
        let kept = usize::try_from(file.progress().bytes).unwrap();
        assert!(bytes.len() - kept <= 1 << 20, "{kept} of {}", bytes.len());
        assert_eq!(std::fs::metadata(Part::Data.of(folder.path(), ID)).unwrap().len(), kept as u64);
        file.append(&bytes[kept..], Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        assert_eq!(file.progress().hash.clone().finalize(), Sha256::digest(&bytes));
        assert!(std::fs::read(Part::Data.of(folder.path(), ID)).unwrap() == bytes);
    }

    #[test]
    fn bytes_that_are_taken_back_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SpoolFile::open(folder.path(), ID).unwrap();
        file.append(b"good", Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        let before = file.progress().clone();
        file.append(&vec![0; 2 << 20], Syncing::AtTheEnd).unwrap();
        file.take_back(before).unwrap();
        file.append(b"!", Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        drop(file);
        let file = SpoolFile::open(folder.path(), ID).unwrap();
        assert_eq!(file.progress().hash.clone().finalize(), Sha256::digest(b"good!"));
        assert_eq!(std::fs::read(Part::Data.of(folder.path(), ID)).unwrap(), b"good!");
    }

    #[test]
    fn data_shorter_than_its_mark_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SpoolFile::open(folder.path(), ID).unwrap();
        file.append(b"0123456789", Syncing::AsTheyCome).unwrap();
        file.sync().unwrap();
        drop(file);
        std::fs::write(Part::Data.of(folder.path(), ID), b"012").unwrap();
        assert!(SpoolFile::open(folder.path(), ID).is_err());
    }
}
