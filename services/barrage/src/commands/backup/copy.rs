//! Makes a backup of a data directory and of the streams on NATS.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use super::manifest::{CopiedFile, Manifest};
use super::{FILES, LOG, databases, streams};
use crate::config::Config;
use crate::console::print_line;
use crate::data_dir;

/// Copies the databases and keys of the data directory, and the streams on NATS, to a new folder. The servers
/// may run: each copy is a snapshot, and no writer waits.
pub(crate) fn backup(config: &Config, to: &Path) -> anyhow::Result<()> {
    if config.nats.is_none() && !config.data_dir.join(LOG).exists() {
        bail!(
            "{} has no message log: name the data directory of `barrage up` with --data-dir, or the servers of a \
             cluster with --config",
            config.data_dir.display()
        );
    }
    if to.exists() {
        bail!("{} exists: a backup is a new folder", to.display());
    }
    let began = barrage_clock::now();
    // The folder gets its name when it is complete.
    let draft = to.with_extension("partial");
    if draft.exists() {
        bail!("{} is of a backup that did not end, or that runs now: remove it first", draft.display());
    }
    data_dir::create(&draft).with_context(|| format!("{} cannot be created", draft.display()))?;
    let manifest = fill(config, &draft).inspect_err(|_| drop(std::fs::remove_dir_all(&draft)))?;
    std::fs::rename(&draft, to).with_context(|| format!("{} cannot be renamed", draft.display()))?;
    sync_folder(to.parent())?;
    print_line(format!(
        "{}: {} files, {} bytes, in {:.1} s; restore with `barrage restore --from {}`",
        to.display(),
        manifest.count(),
        manifest.bytes(),
        began.elapsed().as_secs_f64(),
        to.display(),
    ))?;
    if config.postgres.is_some() {
        print_line(
            "PostgreSQL is not in it: run `pg_dump` before each backup, so that NATS has what came later",
        )?;
    }
    Ok(())
}

fn fill(config: &Config, folder: &Path) -> anyhow::Result<Manifest> {
    let mut files = Vec::new();
    // A cluster's machines have nothing of their own: its keys are in the operator's secret store.
    let is_cluster = config.nats.is_some() && config.postgres.is_some();
    for name in databases(config) {
        let configured = match name {
            "store.sqlite" => config.store.file.clone(),
            "inbox.sqlite" => config.inbox.file.clone(),
            _ => None,
        };
        let from = configured.unwrap_or_else(|| config.data_dir.join(name));
        if from.exists() {
            barrage_store::copy_database(&from, &folder.join(name))
                .with_context(|| format!("{} cannot be copied", from.display()))?;
            files.push(CopiedFile::of(folder, name)?);
        }
    }
    for name in FILES.into_iter().filter(|_| !is_cluster) {
        let from = config.data_dir.join(name);
        if from.exists() {
            let copied = copy_private(&from, &folder.join(name));
            copied.with_context(|| format!("{} cannot be copied", from.display()))?;
            files.push(CopiedFile::of(folder, name)?);
        }
    }
    let streams = match &config.nats {
        Some(nats) => streams::save(nats, &config.bus, folder)?,
        None => Vec::new(),
    };
    let manifest = Manifest::new(barrage_clock::since_unix_epoch().as_secs(), files, streams);
    manifest.write(folder)?;
    sync_folder(Some(folder))?;
    Ok(manifest)
}

/// Copies a file to a new one, for its owner alone, to the disk.
pub(super) fn copy_private(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut copy = new_private(to)?;
    std::io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()
}

/// Writes a new file for its owner alone, to the disk.
pub(super) fn write_private(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = new_private(path)?;
    file.write_all(text)?;
    file.sync_all()
}

pub(super) fn new_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

/// Brings the names of a folder to the disk.
pub(super) fn sync_folder(folder: Option<&Path>) -> anyhow::Result<()> {
    let folder = folder.filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)
        .and_then(|it| it.sync_all())
        .with_context(|| format!("{} cannot be synced", folder.display()))
}
