//! Writes the dashboards and the rules to their places below a folder, the root of the repository.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    for file in barrage_dashboards::files() {
        let path = root.join(&file.path);
        let folder = path.parent().context("every file has a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        std::fs::write(&path, file.text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
