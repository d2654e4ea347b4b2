//! What posts come from: a danmaku file, or a dump of a flight recorder.

use std::path::Path;

use barrage_recording::{Limits, Recording};

use crate::dump::Dump;
use crate::error::LoadtestError;

/// Something that can be played, or whose texts can be drawn.
#[derive(Debug)]
pub enum Tape {
    /// Texts and gifts as people sent them.
    Danmaku(Recording),
    /// Who posted what kind of thing when, without texts.
    Dump(Dump),
}

impl Tape {
    /// When each item is due, in milliseconds after the beginning.
    #[must_use]
    pub fn offsets_ms(&self) -> Vec<u64> {
        match self {
            Tape::Danmaku(recording) => recording.items.iter().map(|item| item.offset_ms).collect(),
            Tape::Dump(dump) => dump.posts.iter().map(|post| post.offset_ms).collect(),
        }
    }

    /// Different senders, where they are known.
    #[must_use]
    pub fn users(&self) -> Option<u32> {
        match self {
            Tape::Danmaku(_) => None,
            Tape::Dump(dump) => Some(dump.users),
        }
    }
}

/// Reads a file, or the small recording that ships.
pub fn load(path: Option<&Path>) -> Result<Tape, LoadtestError> {
    let name = path.map_or_else(|| "the recording that ships".into(), |path| path.display().to_string());
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
