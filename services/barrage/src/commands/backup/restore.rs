//! Makes a data directory from a backup.

use std::path::Path;

use anyhow::{Context, bail};
use barrage_bus::EmbeddedBus;

use super::copy::{copy_private, sync_folder};
use super::manifest::{CopiedFile, Manifest};
use super::{DATABASES, FILES};
use crate::config::Config;
use crate::console::print_line;
use crate::data_dir;

/// Makes the data directory from a backup. It must not exist, or be empty: data is never replaced.
pub(crate) fn restore(config: &Config, from: &Path) -> anyhow::Result<()> {
    let target = &config.data_dir;
    if config.store.file.is_some() || config.inbox.file.is_some() {
        bail!(
            "the configuration names store.file or inbox.file, and a restore fills the data directory alone: restore \
             without these keys, then move store.sqlite and inbox.sqlite to their places"
        );
    }
    let manifest = Manifest::read(from)?;
    for file in &manifest.files {
        check(from, file)?;
    }
    if std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: move it away, or name another --data-dir", target.display());
    }
    // The folder gets its name when it is complete: a server never starts on a part.
    let draft = target.with_extension("restoring");
    if draft.exists() {
        bail!("{} is of a restore that did not end, or that runs now: remove it first", draft.display());
    }
    data_dir::create(&draft).with_context(|| format!("{} cannot be created", draft.display()))?;
    fill(from, &manifest, &draft).inspect_err(|_| drop(std::fs::remove_dir_all(&draft)))?;
    std::fs::rename(&draft, target).with_context(|| format!("{} cannot be renamed", draft.display()))?;
    sync_folder(target.parent())?;
    print_line(format!(
        "{}: {} files of the backup of Unix second {}; start it with `barrage up --data-dir {}`",
        target.display(),
        manifest.files.len(),
        manifest.made_at_secs,
        target.display(),
    ))
}

/// Fails when a file is not as the list of the backup says.
fn check(folder: &Path, listed: &CopiedFile) -> anyhow::Result<()> {
    if !DATABASES.iter().chain(&FILES).any(|name| *name == listed.name) {
        bail!("the backup lists the file {:?}, which this barrage does not know", listed.name);
    }
    let found = CopiedFile::of(folder, &listed.name)?;
    if (found.bytes, &found.sha256) != (listed.bytes, &listed.sha256) {
        bail!("{} has changed since the backup was made", folder.join(&listed.name).display());
    }
    Ok(())
}

fn fill(from: &Path, manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    for file in &manifest.files {
        let (source, target) = (from.join(&file.name), folder.join(&file.name));
        copy_private(&source, &target).with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    EmbeddedBus::mark_as_restored(folder)?;
    sync_folder(Some(folder))
}
