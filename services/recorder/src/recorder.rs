//! Recorder of one process, shared by its tasks.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barrage_protocol::RoomId;
use parking_lot::Mutex;
use serde::Serialize;

use crate::config::RecorderConfig;
use crate::dump::{self, Header, VERSION};
use crate::folder;
use crate::limiter::FileLimiter;
use crate::ring::{Kept, Ring};

/// Record of one event, in the form that a gateway or an uplink defines.
pub trait Record: Copy + Serialize + Send + Sync + 'static {
    /// Role of the process, as dumps name it.
    const SOURCE: &'static str;
}

/// Stores records, and dumps those of a room.
#[derive(Debug)]
pub struct Recorder<R> {
    config: RecorderConfig,
    instance: String,
    ring: Mutex<Ring<R>>,
    limiter: Mutex<FileLimiter>,
    /// A file is being written. Only one is written at a time.
    is_writing: AtomicBool,
    /// Its random key is unique to this process, so that a list of names cannot reverse a hash.
    hasher: RandomState,
}

impl<R: Record> Recorder<R> {
    /// Creates an empty recorder; `instance` is the id of this process in dumps.
    #[must_use]
    pub fn new(config: RecorderConfig, instance: &str) -> Arc<Self> {
        Arc::new(Recorder {
            ring: Mutex::new(Ring::new(config.bytes_max)),
            config,
            instance: instance.into(),
            limiter: Mutex::default(),
            is_writing: AtomicBool::new(false),
            hasher: RandomState::new(),
        })
    }

    /// Returns the hash that stands for a name, the same until the process ends.
    #[must_use]
    pub fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name)
    }

    /// Stores a record; a full ring overwrites the oldest one.
    pub fn push(&self, room: &RoomId, at_ms: u64, record: R) {
        let kept = Kept { at_ms, room: self.hash(room.as_str()), record };
        self.ring.lock().push(kept);
    }

    /// Returns the room's last minutes as JSON Lines: up to twice the recorder's memory. It is slow, so
    /// callers run it where blocking is allowed.
    #[must_use]
    pub fn dump(&self, room: &RoomId, cause: &str, now_ms: u64) -> Vec<u8> {
        let since_ms = now_ms.saturating_sub(u64::from(self.config.minutes) * 60_000);
        let (kept, cut) = {
            let ring = self.ring.lock();
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

    /// Reports a room in trouble. Its dump is written to the folder, if there is one, unless that was
    /// done within five minutes. While another file is being written the call does nothing, and a
    /// later one may write.
    pub fn alert(self: &Arc<Self>, room: &RoomId, cause: &'static str, now_ms: u64) {
        let Some(folder) = &self.config.folder else { return };
        if self.is_writing.swap(true, Ordering::SeqCst) {
            return;
        }
        let is_admitted = self.limiter.lock().admit(self.hash(room.as_str()), now_ms);
        if !is_admitted {
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
            Ok(path) => {
                tracing::warn!(%room, cause, path = %path.display(), "a dump of the recorder was written")
            }
            Err(error) => tracing::warn!(%room, cause, %error, "a dump of the recorder could not be written"),
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
    fn a_dump_has_a_header_and_the_records_of_its_room_and_time() {
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
    fn a_hash_is_stable_in_a_process_and_differs_between_processes() {
        let [a, b] = [(); 2].map(|()| Recorder::<Small>::new(RecorderConfig::default(), "t"));
        assert_eq!(a.hash("u1"), a.hash("u1"));
        assert_ne!(a.hash("u1"), a.hash("u2"));
        assert_ne!(a.hash("u1"), b.hash("u1"));
    }

    #[tokio::test]
    async fn an_alert_writes_one_file_for_a_room() {
        let folder = tempfile::tempdir().unwrap();
        let config = RecorderConfig { folder: Some(folder.path().into()), ..RecorderConfig::default() };
        let recorder = Recorder::new(config, "t-1");
        let room: RoomId = "one".parse().unwrap();
        recorder.push(&room, NOW_MS, Small { bytes: 7, rule: "" });
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        for _ in 0..3 {
            recorder.alert(&room, "celebrity", NOW_MS);
            let written = async {
                while recorder.is_writing.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), written).await.unwrap();
            assert_eq!(files(), 1);
        }
        let path = folder.path().join(format!("recorder-test-one-{NOW_MS}.jsonl"));
        let lines = lines(&std::fs::read(path).unwrap());
        assert_eq!((&lines[0]["cause"], &lines[1]["bytes"]), (&"celebrity".into(), &7.into()));
    }

    #[tokio::test]
    async fn an_alert_without_a_folder_writes_nothing() {
        let recorder = Recorder::<Small>::new(RecorderConfig::default(), "t-1");
        recorder.alert(&"one".parse().unwrap(), "celebrity", NOW_MS);
        assert!(!recorder.is_writing.load(Ordering::SeqCst));
    }
}
