//! The list of a backup's files, with their sizes and digests.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use barrage_bus::nats::SavedStream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// File of the list in the folder of a backup.
const NAME: &str = "manifest.json";
/// Version of the list's form. A larger one is of a newer program, and is refused.
const FORMAT: u32 = 2;
/// Form of a backup without streams, which older programs read as well.
const FORMAT_WITHOUT_STREAMS: u32 = 1;
/// Largest list that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Bytes that are read from a file at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// Version of the program that made the backup.
    pub(super) program: String,
    /// Unix time of the last copy, in seconds.
    pub(super) made_at_secs: u64,
    pub(super) files: Vec<CopiedFile>,
    /// Streams on NATS; the form 1 has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) streams: Vec<CopiedStream>,
}

/// A stream of a backup with its file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CopiedStream {
    pub(super) stream: SavedStream,
    pub(super) file: CopiedFile,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CopiedFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// SHA-256 of the content, in hexadecimal digits.
    pub(super) sha256: String,
}

impl Manifest {
    pub(super) fn new(made_at_secs: u64, files: Vec<CopiedFile>, streams: Vec<CopiedStream>) -> Self {
        let format = if streams.is_empty() { FORMAT_WITHOUT_STREAMS } else { FORMAT };
        Manifest { format, program: env!("CARGO_PKG_VERSION").into(), made_at_secs, files, streams }
    }

    /// Returns all files, also those of streams.
    pub(super) fn all(&self) -> impl Iterator<Item = &CopiedFile> {
        self.files.iter().chain(self.streams.iter().map(|stream| &stream.file))
    }

    /// Returns the number of all files.
    pub(super) fn count(&self) -> usize {
        self.files.len() + self.streams.len()
    }

    /// Returns the bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.all().map(|file| file.bytes).sum()
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(NAME);
        let text = serde_json::to_string_pretty(self)?;
        super::copy::write_private(&path, text.as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Reads the list of a backup. Fails when the folder is none, or a newer program has made it.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let file = File::open(&path)
            .with_context(|| format!("{} is no backup: {NAME} cannot be opened", folder.display()))?;
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text)?;
        // Another form may have other fields: the number is read first.
        let format = serde_json::from_str::<serde_json::Value>(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?["format"]
            .as_u64();
        match format {
            Some(format) if (1..=u64::from(FORMAT)).contains(&format) => {}
            Some(format) if format > u64::from(FORMAT) => bail!(
                "{} has the form {format}, which a newer barrage made; this one reads {FORMAT}: install the newer one",
                path.display()
            ),
            _ => bail!("{} has no form that this barrage knows", path.display()),
        }
        serde_json::from_str(&text).with_context(|| format!("{} lacks a field", path.display()))
    }
}

impl CopiedFile {
    /// Describes a file as it is on the disk.
    pub(super) fn of(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let path = folder.join(name);
        let mut file = File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
        loop {
            let read = file.read(&mut chunk).with_context(|| format!("{} cannot be read", path.display()))?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
            bytes += read as u64;
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(CopiedFile { name: name.to_owned(), bytes, sha256 })
    }
}
