//! Generated files: recordings for tests, benchmarks and a first look.

use std::path::Path;

use anyhow::Context;
use barrage_recording::generate;

use crate::run::say;

/// Writes one danmaku file for each profile, and one with every oddity.
pub(crate) fn recordings(folder: &Path, seed: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for file in generate::all(seed) {
        let path = folder.join(&file.file_name);
        std::fs::write(&path, &file.bytes)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let (items, skipped) = (file.expected.items(), file.expected.skipped);
        say(&format!("{}: {items} items; a parser skips {skipped}", path.display()))?;
    }
    Ok(())
}
