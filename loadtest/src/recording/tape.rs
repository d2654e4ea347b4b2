//! Sources of posts: a danmaku file, or a dump of a flight recorder.

use std::path::Path;

use barrage_recording::{Limits, Recording};

use crate::error::LoadtestError;
use crate::recording::dump::Dump;

/// A recording that can be replayed, or whose texts can be drawn at random.
#[derive(Debug)]
pub enum Tape {
    /// Texts and gifts of a danmaku file.
    Danmaku(Recording),
    /// Senders, kinds and times of a flight recorder's dump, without texts.
    Dump(Dump),
}

impl Tape {
    /// Due time of each item, in milliseconds after the beginning.
    #[must_use]
    pub fn offsets_ms(&self) -> Vec<u64> {
        match self {
            Tape::Danmaku(recording) => recording.items.iter().map(|item| item.offset_ms).collect(),
            Tape::Dump(dump) => dump.posts.iter().map(|post| post.offset_ms).collect(),
        }
    }

    /// Number of different senders; `None` when the recording has no senders.
    #[must_use]
    pub fn users(&self) -> Option<u32> {
        match self {
            Tape::Danmaku(_) => None,
            Tape::Dump(dump) => Some(dump.users),
        }
    }
}

/// Reads a file; without one, returns the recording inside the binary.
pub fn load(path: Option<&Path>) -> Result<Tape, LoadtestError> {
    let name = path.map_or_else(|| "the built-in recording".into(), |path| path.display().to_string());
    let cannot = || format!("{name} cannot be read");
    let bytes = match path {
        Some(path) => std::fs::read(path).map_err(|error| LoadtestError::cannot_run(cannot(), error))?,
        None => barrage_recording::DEMO.to_vec(),
    };
    if Dump::is_one(&bytes) {
        let dump = Dump::parse(&bytes).map_err(|error| LoadtestError::cannot_run(cannot(), error))?;
        return Ok(Tape::Dump(dump));
    }
    let recording = barrage_recording::parse(&bytes, &Limits::default());
    recording.map(Tape::Danmaku).map_err(|error| LoadtestError::cannot_run(cannot(), error))
}
