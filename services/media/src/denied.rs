//! Digests of files that are refused.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use barrage_protocol::Digest;
use parking_lot::Mutex;

use crate::error::MediaError;

/// Largest file in bytes: about a million digests, 64 MB in memory.
const FILE_BYTES_MAX: u64 = 70 << 20;

/// The digests of a file, read again when the file changes, and those of media that were removed everywhere.
#[derive(Debug)]
pub(crate) struct Denied {
    file: Option<PathBuf>,
    changed: Mutex<Option<SystemTime>>,
    digests: ArcSwap<HashSet<Digest>>,
    /// Media that were removed everywhere.
    removed: ArcSwap<HashSet<Digest>>,
}

impl Denied {
    /// Reads the digests of the file.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self, MediaError> {
        let (changed, digests) = match &file {
            Some(file) => {
                let digests = read(file).map_err(MediaError::Denied)?;
                (time(file), digests)
            }
            None => (None, HashSet::new()),
        };
        Ok(Denied {
            file,
            changed: Mutex::new(changed),
            digests: ArcSwap::from_pointee(digests),
            removed: ArcSwap::default(),
        })
    }

    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.digests.load().contains(&digest) || self.removed.load().contains(&digest)
    }

    pub(crate) fn removed(&self) -> Arc<HashSet<Digest>> {
        self.removed.load_full()
    }

    /// Sets the media that were removed everywhere.
    pub(crate) fn set_removed(&self, removed: HashSet<Digest>) {
        self.removed.store(Arc::new(removed));
    }

    /// Reads the file again if it has changed. A file that cannot be read leaves the digests as they are.
    pub(crate) fn refresh(&self) {
        let Some(file) = &self.file else { return };
        let now = time(file);
        if now == std::mem::replace(&mut *self.changed.lock(), now) {
            return;
        }
        match read(file) {
            Ok(digests) => self.digests.store(digests.into()),
            Err(error) => {
                tracing::warn!(%error, "the file of denied digests cannot be read; the last one is in force")
            }
        }
    }
}

fn time(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Reads one digest a line; `#` begins a comment.
fn read(file: &Path) -> Result<HashSet<Digest>, String> {
    let name = file.display();
    let length = std::fs::metadata(file).map_err(|error| format!("{name}: {error}"))?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("{name} has {length} bytes; {FILE_BYTES_MAX} are read"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let lines =
        text.lines().enumerate().map(|(at, line)| (at + 1, line.split('#').next().unwrap_or("").trim()));
    let digests = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| Digest::parse(line).map_err(|error| format!("{name}, line {at}: {error}")));
    digests.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (file, a, b) = (folder.path().join("denied"), Digest::new([1; 32]), Digest::new([2; 32]));
        std::fs::write(&file, format!("# list\n{a} # a cat\n\n")).unwrap();
        let denied = Denied::open(Some(file.clone())).unwrap();
        assert!(denied.has(a) && !denied.has(b));
        let write = |text: String, secs: u64| {
            std::fs::write(&file, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(secs);
            std::fs::File::open(&file).unwrap().set_modified(time).unwrap();
            denied.refresh();
        };
        write(format!("{b}\n"), 1_000);
        assert!(!denied.has(a) && denied.has(b));
        write("no digest".into(), 2_000);
        assert!(denied.has(b));
        assert!(Denied::open(Some(file)).unwrap_err().to_string().contains("line 1"));
        assert!(!Denied::open(None).unwrap().has(a));
    }
}
