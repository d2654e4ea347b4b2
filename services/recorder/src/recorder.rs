//! Recorder of one process, shared by its tasks.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use barrage_protocol::RoomId;
use serde::Serialize;

use crate::alarm::Alarm;
use crate::config::RecorderConfig;
use crate::dump::{self, Header, VERSION};
use crate::folder;
use crate::ring::{Kept, Ring};

/// Record of one event.
pub trait Record: Copy + Serialize + Send + Sync + 'static {
    /// Process kind, written into dumps.
    const SOURCE: &'static str;
}

/// Stores records and dumps those of a room.
#[derive(Debug)]
pub struct Recorder<R> {
    config: RecorderConfig,
    instance: String,
    ring: Mutex<Ring<R>>,
    alarm: Mutex<Alarm>,
    /// Set while a file is written: one file at a time.
    is_writing: AtomicBool,
    /// Keyed per process, so that a list of names does not reveal the hashed ones.
    hasher: RandomState,
}

impl<R: Record> Recorder<R> {
    /// Makes an empty recorder; `instance` is the name of this process in dumps.
    #[must_use]
    pub fn new(config: RecorderConfig, instance: &str) -> Arc<Self> {
        Arc::new(Recorder {
            ring: Mutex::new(Ring::new(config.bytes_max)),
            config,
            instance: instance.into(),
            alarm: Mutex::default(),
            is_writing: AtomicBool::new(false),
            hasher: RandomState::new(),
        })
    }

    /// Returns the pseudonym of a name: constant until the process ends.
    #[must_use]
    pub fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name)
    }

    /// Stores a record and overwrites the oldest when the memory is full.
    pub fn push(&self, room: &RoomId, at_ms: u64, record: R) {
        let kept = Kept { at_ms, room: self.hash(room.as_str()), record };
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    }

    /// Returns the last minutes of a room as JSON Lines. The text takes up to twice the recorder's
    /// memory; callers must be allowed to block.
    #[must_use]
    pub fn dump(&self, room: &RoomId, cause: &str, now_ms: u64) -> Vec<u8> {
        let since_ms = now_ms.saturating_sub(u64::from(self.config.minutes) * 60_000);
        let (kept, cut) = {
            let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.of(self.hash(room.as_str()), since_ms)
        };
        let header = Header {
            barrage_recorder: VERSION,
            source: R::SOURCE,
            instance: &self.instance,
            room,
            cause,
            dumped_at_ms: now_ms,
            minutes: self.config.minutes,
            cut,
            records: kept.len(),
        };
        dump::write(&header, &kept)
    }

    /// Writes the dump of a room in trouble into the folder, if one is configured. Does nothing within
    /// five minutes of the last file of the room, or while another file is written.
    pub fn alert(self: &Arc<Self>, room: &RoomId, cause: &'static str, now_ms: u64) {
        let Some(folder) = &self.config.folder else { return };
        if self.is_writing.swap(true, Ordering::SeqCst) {
            return;
        }
        let rings = {
            let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
            alarm.rings(self.hash(room.as_str()), now_ms)
        };
        if !rings {
            self.is_writing.store(false, Ordering::SeqCst);
            return;
        }
        let (recorder, folder, room) = (Arc::clone(self), folder.clone(), room.clone());
        tokio::task::spawn_blocking(move || {
            recorder.write(&folder, &room, cause, now_ms);
            recorder.is_writing.store(false, Ordering::SeqCst);
        });
    }

    fn write(&self, folder: &Path, room: &RoomId, cause: &str, now_ms: u64) {
        let dump = self.dump(room, cause, now_ms);
        match folder::write(folder, R::SOURCE, room, now_ms, self.config.files_max, &dump) {
            Ok(path) => tracing::warn!(%room, cause, path = %path.display(), "the recorder was dumped"),
            Err(error) => tracing::warn!(%room, cause, %error, "the recorder could not be dumped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, Clone, Copy, Serialize)]
    struct Small {
        bytes: u32,
        rule: &'static str,
    }

    impl Record for Small {
        const SOURCE: &'static str = "test";
    }

    const NOW_MS: u64 = 10_000_000;

    fn lines(dump: &[u8]) -> Vec<serde_json::Value> {
        dump.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn a_dump_is_a_header_and_the_room_s_records_of_the_time_that_it_covers() {
        let recorder = Recorder::new(RecorderConfig { minutes: 1, ..RecorderConfig::default() }, "t-1");
        let [one, other]: [RoomId; 2] = ["one", "other"].map(|name| name.parse().unwrap());
        recorder.push(&one, NOW_MS - 60_001, Small { bytes: 1, rule: "" });
        recorder.push(&one, NOW_MS - 60_000, Small { bytes: 2, rule: "quota" });
        recorder.push(&other, NOW_MS, Small { bytes: 3, rule: "" });
        let lines = lines(&recorder.dump(&one, "request", NOW_MS));
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["barrage_recorder"], &lines[0]["records"]), (&1.into(), &1.into()));
        assert_eq!((&lines[0]["source"], &lines[0]["instance"]), (&"test".into(), &"t-1".into()));
        assert_eq!(lines[1], serde_json::json!({ "at_ms": NOW_MS - 60_000, "bytes": 2, "rule": "quota" }));
        assert_eq!(lines[0]["cut"], false);
    }

    #[test]
    fn a_hash_is_the_same_name_s_and_another_process_s_is_another() {
        let [a, b] = [(); 2].map(|()| Recorder::<Small>::new(RecorderConfig::default(), "t"));
        assert_eq!(a.hash("u1"), a.hash("u1"));
        assert_ne!(a.hash("u1"), a.hash("u2"));
        assert_ne!(a.hash("u1"), b.hash("u1"));
    }

    #[tokio::test]
    async fn trouble_writes_one_file_a_room() {
        let folder = tempfile::tempdir().unwrap();
        let config = RecorderConfig { folder: Some(folder.path().into()), ..RecorderConfig::default() };
        let recorder = Recorder::new(config, "t-1");
        let room: RoomId = "one".parse().unwrap();
        recorder.push(&room, NOW_MS, Small { bytes: 7, rule: "" });
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        for _ in 0..3 {
            recorder.alert(&room, "celebrity", NOW_MS);
            while recorder.is_writing.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(files(), 1);
        }
        let path = folder.path().join(format!("recorder-test-one-{NOW_MS}.jsonl"));
        let lines = lines(&std::fs::read(path).unwrap());
        assert_eq!((&lines[0]["cause"], &lines[1]["bytes"]), (&"celebrity".into(), &7.into()));
    }

    #[tokio::test]
    async fn without_a_folder_trouble_writes_nothing() {
        let recorder = Recorder::<Small>::new(RecorderConfig::default(), "t-1");
        recorder.alert(&"one".parse().unwrap(), "celebrity", NOW_MS);
        assert!(!recorder.is_writing.load(Ordering::SeqCst));
    }
}
