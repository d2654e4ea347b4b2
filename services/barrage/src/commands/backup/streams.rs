//! The streams on NATS: each is a file of a backup.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, bail};
use barrage_bus::nats::Snapshots;
use barrage_bus::{BusConfig, NatsConfig};

use super::copy::new_private;
use super::manifest::{CopiedFile, CopiedStream};
use crate::commands::runtime;

/// Number of bytes in a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Writes a snapshot of each stream to a file of its own.
pub(super) fn save(nats: &NatsConfig, bus: &BusConfig, folder: &Path) -> anyhow::Result<Vec<CopiedStream>> {
    runtime()?.block_on(async {
        let snapshots = Snapshots::connect(nats, bus).await?;
        let names = snapshots.streams().await?;
        if names.is_empty() {
            bail!("NATS has no stream of the prefix {:?}: see [nats] of the configuration", nats.prefix);
        }
        let mut saved = Vec::new();
        for name in names {
            let file = file_of(&name);
            let mut to =
                new_private(&folder.join(&file)).with_context(|| format!("{file} cannot be created"))?;
            let mut progress = Progress::new(&name, None);
            let stream = snapshots.save(&name, &mut to, |bytes| progress.show(bytes)).await?;
            to.sync_all().with_context(|| format!("{file} cannot be synced"))?;
            saved.push(CopiedStream { stream, file: CopiedFile::of(folder, &file)? });
        }
        Ok(saved)
    })
}

/// Fails when the servers have one of the streams: a restore replaces nothing.
pub(super) async fn refuse_existing(snapshots: &Snapshots, saved: &[CopiedStream]) -> anyhow::Result<()> {
    let existing = snapshots.streams().await?;
    if let Some(name) = existing.iter().find(|name| saved.iter().any(|it| it.stream.name == **name)) {
        bail!(
            "NATS has the stream {name}: a restore replaces nothing. Stop all processes, and delete the streams of the \
             prefix if nothing in them is needed (`nats stream rm {name}`)"
        );
    }
    Ok(())
}

/// Restores each stream from its file. A server refuses one that it has.
pub(super) async fn load(snapshots: &Snapshots, folder: &Path, saved: &[CopiedStream]) -> anyhow::Result<()> {
    for copied in saved {
        let path = folder.join(&copied.file.name);
        let mut from = File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut progress = Progress::new(&copied.stream.name, Some(copied.file.bytes));
        snapshots.load(&copied.stream, &mut from, |bytes| progress.show(bytes)).await?;
    }
    Ok(())
}

/// Returns the file of a stream. It holds a tar archive in the S2 format, as the server wrote it.
pub(super) fn file_of(stream: &str) -> String {
    format!("{stream}.tar.s2")
}

/// One line on a terminal that tells how far a file is.
struct Progress<'a> {
    name: &'a str,
    all_bytes: Option<u64>,
    is_shown: bool,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str, all_bytes: Option<u64>) -> Self {
        Progress { name, all_bytes, is_shown: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, bytes: u64) {
        if self.is_shown {
            let of = self.all_bytes.map_or(String::new(), |all| format!(" of {:.1}", all as f64 / MIB));
            let text = format!("\r{}: {:.1}{of} MiB ", self.name, bytes as f64 / MIB);
            drop(std::io::stderr().lock().write_all(text.as_bytes()));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            drop(writeln!(std::io::stderr().lock()));
        }
    }
}
