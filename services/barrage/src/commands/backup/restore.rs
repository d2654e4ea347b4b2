//! Makes a data directory from a backup, and restores the streams on NATS.

use std::path::Path;

use anyhow::{Context, bail};
use barrage_bus::EmbeddedBus;
use barrage_bus::nats::Snapshots;

use super::copy::{copy_private, sync_folder};
use super::manifest::{CopiedFile, Manifest};
use super::{DATABASES, FILES, LOG, settle, streams};
use crate::commands::runtime;
use crate::config::Config;
use crate::console::print_line;
use crate::data_dir;

/// Makes the data directory from a backup, and restores the streams on NATS. The directory must not exist, or be
/// empty, and NATS must have none of the streams: data is never replaced.
pub(crate) fn restore(config: &Config, from: &Path) -> anyhow::Result<()> {
    let target = &config.data_dir;
    if config.store.file.is_some() || config.inbox.file.is_some() {
        bail!(
            "the configuration names store.file or inbox.file, and a restore fills the data directory alone: restore \
             without these keys, then move store.sqlite and inbox.sqlite to their places"
        );
    }
    let manifest = Manifest::read(from)?;
    check(from, &manifest)?;
    refuse_other_bus(config, &manifest)?;
    if let Some(nats) = &config.nats {
        // Before the directory is made, so that the command can be repeated.
        runtime()?.block_on(async {
            let snapshots = Snapshots::connect(nats, &config.bus).await?;
            streams::refuse_existing(&snapshots, &manifest.streams).await
        })?;
    }
    if !manifest.files.is_empty() {
        fill_directory(from, &manifest, target)?;
        print_line(format!("{}: {} files", target.display(), manifest.files.len()))?;
    }
    if let Some(nats) = &config.nats {
        runtime()?.block_on(async {
            let snapshots = Snapshots::connect(nats, &config.bus).await?;
            streams::load(&snapshots, from, &manifest.streams).await?;
            let saved: Vec<_> = manifest.streams.iter().map(|it| it.stream.clone()).collect();
            print_line(format!("NATS has {} streams of the backup", saved.len()))?;
            settle::settle(config, nats, &snapshots, &saved).await.context(
                "the streams are on NATS, but positions may be given twice: start no process, delete the streams of the \
                 prefix, and restore again",
            )
        })?;
    }
    print_line(format!("restored the backup of Unix second {}; processes may start", manifest.made_at_secs))
}

/// Refuses a backup whose messages are where the configuration has none.
fn refuse_other_bus(config: &Config, manifest: &Manifest) -> anyhow::Result<()> {
    match (&config.nats, manifest.streams.is_empty()) {
        (Some(_), true) => bail!(
            "the backup has no stream, and the configuration names NATS: name the configuration that the backup was \
             made with"
        ),
        (None, false) => {
            bail!("the backup has streams of NATS: name the cluster's configuration with --config")
        }
        _ => Ok(()),
    }
}

/// Fails when a file is not as the list of the backup says, or has a name that no backup gives.
fn check(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    for listed in &manifest.files {
        if !DATABASES.iter().chain(&FILES).any(|name| *name == listed.name) {
            bail!("the backup lists the file {:?}, which this barrage does not know", listed.name);
        }
    }
    for copied in &manifest.streams {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !copied.stream.name.chars().all(is_name)
            || copied.file.name != streams::file_of(&copied.stream.name)
        {
            bail!("the backup lists the stream {:?}, which this barrage does not know", copied.stream.name);
        }
    }
    for listed in manifest.all() {
        let found = CopiedFile::of(folder, &listed.name)?;
        if (found.bytes, &found.sha256) != (listed.bytes, &listed.sha256) {
            bail!("{} has changed since the backup was made", folder.join(&listed.name).display());
        }
    }
    Ok(())
}

fn fill_directory(from: &Path, manifest: &Manifest, target: &Path) -> anyhow::Result<()> {
    if std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty: move it away, or name another --data-dir", target.display());
    }
    // The folder gets its name when it is complete: a server never starts on a part.
    let draft = target.with_extension("restoring");
    if draft.exists() {
        bail!("{} is of a restore that did not end, or that runs now: remove it first", draft.display());
    }
    data_dir::create(&draft).with_context(|| format!("{} cannot be created", draft.display()))?;
    fill(from, manifest, &draft).inspect_err(|_| drop(std::fs::remove_dir_all(&draft)))?;
    std::fs::rename(&draft, target).with_context(|| format!("{} cannot be renamed", draft.display()))?;
    sync_folder(target.parent())
}

fn fill(from: &Path, manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    for file in &manifest.files {
        let (source, target) = (from.join(&file.name), folder.join(&file.name));
        copy_private(&source, &target).with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    if manifest.files.iter().any(|file| file.name == LOG) {
        EmbeddedBus::mark_as_restored(folder)?;
    }
    sync_folder(Some(folder))
}
