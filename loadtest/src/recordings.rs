//! The danmaku file that texts come from.

use std::path::Path;

use barrage_recording::{Limits, Recording};

use crate::error::LoadtestError;

/// Reads a file, or the small recording that ships.
pub fn load(path: Option<&Path>) -> Result<Recording, LoadtestError> {
    let name = path.map_or_else(|| "the recording that ships".into(), |path| path.display().to_string());
    let bytes = match path {
        Some(path) => std::fs::read(path)
            .map_err(|error| LoadtestError::cannot_run(format!("{name} cannot be read"), error))?,
        None => barrage_recording::DEMO.to_vec(),
    };
    barrage_recording::parse(&bytes, &Limits::default())
        .map_err(|error| LoadtestError::cannot_run(format!("{name} cannot be read"), error))
}
