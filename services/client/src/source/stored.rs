//! The last good answer of entry, and its file.
//!
//! The file has the mode 0600, a version and a bounded size. It is written under another name and
//! renamed, so that a reader sees the old or the new answer whole.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use barrage_protocol::RoomId;
use barrage_protocol::entry::EntryAnswer;
use serde::{Deserialize, Serialize};

use super::order::StoredFacts;

/// Version of the file. A file of another version is ignored, and replaced at the next good answer.
const VERSION: u32 = 1;
/// Maximum bytes of the file. A larger answer is not stored, and a larger file is not read.
const BYTES_MAX: usize = 64 * 1024;
/// Time after which a newer answer replaces the stored one.
const REPLACE_AFTER_MS: u64 = 10 * 60 * 1_000;
/// Room in the URLs of a stored answer.
const ANY_ROOM: &str = "/rooms/{room}/";

/// The last good answer, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    version: u32,
    /// First configured base URL of entry: an answer of another platform is not used.
    entry: String,
    /// Unix time of the client's clock at which the answer was stored.
    pub(crate) saved_ms: u64,
    /// The answer without its ticket, with `{room}` in the place of the room.
    answer: EntryAnswer,
}

impl Stored {
    /// Makes the value to store of an answer for a room, or for any room.
    pub(crate) fn new(entry: &str, room: Option<&RoomId>, answer: &EntryAnswer, now_ms: u64) -> Self {
        let mut answer = EntryAnswer { ticket: None, ..answer.clone() };
        if let Some(of_room) = room.map(|room| format!("/rooms/{room}/")) {
            for endpoint in &mut answer.downlinks {
                endpoint.url = endpoint.url.replacen(&of_room, ANY_ROOM, 1);
            }
        }
        Stored { version: VERSION, entry: entry.to_owned(), saved_ms: now_ms, answer }
    }

    /// Returns the answer for a room, or for any room.
    pub(crate) fn answer(&self, room: Option<&RoomId>) -> EntryAnswer {
        for_room(&self.answer, room)
    }

    /// Returns the answer as it is stored, for any room.
    pub(crate) fn list(&self) -> &EntryAnswer {
        &self.answer
    }

    /// Returns what decides the order of the sources.
    pub(crate) fn facts(&self) -> StoredFacts {
        StoredFacts {
            saved_ms: self.saved_ms,
            entries: self.answer.entries.clone(),
            addresses: self.answer.addresses.clone(),
        }
    }

    /// Whether a new answer is written over this one: the file is old, or its time is in the future.
    pub(crate) fn is_replaced_at(&self, now_ms: u64) -> bool {
        self.saved_ms > now_ms || now_ms - self.saved_ms >= REPLACE_AFTER_MS
    }
}

/// Fills the room, if there is one, into an answer that has `{room}` in its URLs.
pub(crate) fn for_room(template: &EntryAnswer, room: Option<&RoomId>) -> EntryAnswer {
    let mut answer = template.clone();
    if let Some(room) = room {
        for endpoint in &mut answer.downlinks {
            endpoint.url = endpoint.url.replace("{room}", room.as_str());
        }
    }
    answer
}

/// Reads the file. Returns `None` when there is none, and when it cannot be trusted: it is too large, of
/// another version or platform, or others may write it.
pub(crate) fn read(path: &Path, entry: &str) -> Option<Stored> {
    match try_read(path, entry) {
        Ok(stored) => Some(stored),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the stored answer of entry is ignored");
            None
        }
    }
}

fn try_read(path: &Path, entry: &str) -> io::Result<Stored> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(wrong("it is not a regular file"));
    }
    if is_open_to_others(&metadata) {
        return Err(wrong("other users may write it; run `chmod 600` on it"));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BYTES_MAX {
        return Err(wrong("it is larger than 64 KiB"));
    }
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))?;
    if stored.version != VERSION {
        return Err(wrong("it is of another version"));
    }
    if stored.entry != entry {
        return Err(wrong("it is of another entry"));
    }
    Ok(stored)
}

/// Writes the file atomically, with the mode 0600. The folder must exist.
pub(crate) fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    let bytes = serde_json::to_vec(stored)?;
    if bytes.len() > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is larger than 64 KiB"));
    }
    let beside = beside(path, rand::random());
    let written = create(&beside).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&beside, path));
    if renamed.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    renamed
}

/// Returns the name under which the file is written: beside it, and of this write alone.
fn beside(path: &Path, random: u64) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{random:016x}.new"));
    path.with_file_name(name)
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::entry::RacePlan;

    const ENTRY: &str = "https://live.example";

    fn stored() -> Stored {
        let answer = EntryAnswer {
            downlinks: Vec::new(),
            uplinks: vec!["https://u1.example".into()],
            race: RacePlan { width: 1, timeout_ms: 1_000, bytes: 1 },
            ticket: None,
            ttl_ms: 60_000,
            backoff_base_ms: 1_000,
            backoff_max_ms: 30_000,
            region: None,
            carrier: None,
            addresses: std::collections::BTreeMap::new(),
            entries: Vec::new(),
            media: None,
            issued_ms: None,
        };
        Stored::new(ENTRY, Some(&"demo".parse().unwrap()), &answer, 1_000)
    }

    #[test]
    fn file_is_written_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.json");
        assert_eq!(read(&path, ENTRY), None);
        write(&path, &stored()).unwrap();
        let newer = Stored { saved_ms: 2_000, ..stored() };
        write(&path, &newer).unwrap();
        assert_eq!(read(&path, ENTRY), Some(newer));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no file is left beside it");
        assert!(write(&folder.path().join("none").join("entry.json"), &stored()).is_err());
        let large = EntryAnswer { region: Some("x".repeat(BYTES_MAX)), ..stored().answer };
        assert!(write(&path, &Stored { answer: large, ..stored() }).is_err());
        assert!(read(&path, ENTRY).is_some(), "a failed write leaves the file as it was");
    }

    #[test]
    fn file_that_cannot_be_trusted_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.json");
        let text = serde_json::to_string(&stored()).unwrap();
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path, ENTRY).is_some()
        };
        assert!(check(&text));
        for broken in
            ["", "{", "[]", &text[..text.len() / 2], &text.replace("\"version\":1", "\"version\":2")]
        {
            assert!(!check(broken), "{broken}");
        }
        assert!(!check(&format!("{text}{}", " ".repeat(BYTES_MAX))));
        assert!(check(&text));
        assert_eq!(read(&path, "https://other.example"), None);
        assert_eq!(read(folder.path(), ENTRY), None, "a folder is no file");
    }

    #[cfg(unix)]
    #[test]
    fn file_that_others_may_write_is_ignored() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.json");
        write(&path, &stored()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o602)).unwrap();
        assert_eq!(read(&path, ENTRY), None);
    }

    #[test]
    fn newer_answer_is_written_after_ten_minutes_or_after_a_clock_went_back() {
        let stored = Stored { saved_ms: 1_000_000, ..stored() };
        assert!(!stored.is_replaced_at(1_000_000 + REPLACE_AFTER_MS - 1));
        assert!(stored.is_replaced_at(1_000_000 + REPLACE_AFTER_MS));
        assert!(stored.is_replaced_at(999_999));
    }
}
