//! A disk below the embedded log: files in memory-backed folders, and the images that crashes leave.
//!
//! SQLite itself reads and writes. The disk knows how many bytes of the write-ahead log were synced, because
//! SQLite syncs all of it with a commit in mode `FULL`. A power cut keeps those bytes and does to the rest what
//! disks do: it ends early, has holes of zeros, or has a wrong bit.

use std::path::{Path, PathBuf};

use barrage_bus::EmbeddedBus;
use tempfile::TempDir;

use crate::rng::Rng;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Files of a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    log: Vec<u8>,
    wal: Vec<u8>,
    mark: Vec<u8>,
}

/// Part of the synced bytes that a power cut keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    /// Synced bytes stay over a power cut.
    Honest,
    /// Synced bytes may be lost as others are: the disk lied.
    Forgets,
}

/// The files of one log over the lives of its process.
#[derive(Debug)]
pub(crate) struct Disk {
    root: TempDir,
    life: usize,
    /// Bytes of the write-ahead log that are synced.
    synced_bytes: usize,
    /// Text of the mark when it was synced last.
    synced_mark: Vec<u8>,
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

fn write(path: &Path, bytes: &[u8]) {
    if !bytes.is_empty() {
        std::fs::write(path, bytes).expect("a file of the simulated disk can be written");
    }
}

impl Disk {
    /// Creates a disk with these files.
    pub(crate) fn new(image: &Image) -> Self {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let root = made.expect("a folder for the simulated disk can be made");
        let mut disk = Disk { root, life: 0, synced_bytes: 0, synced_mark: Vec::new() };
        disk.put(image);
        disk
    }

    /// Returns the path of the log in this life.
    pub(crate) fn path(&self) -> PathBuf {
        EmbeddedBus::file(&self.folder())
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join(self.life.to_string())
    }

    fn wal(&self) -> PathBuf {
        self.folder().join("bus.sqlite-wal")
    }

    /// Notes that all that was written is synced.
    pub(crate) fn synced(&mut self) {
        self.synced_bytes = std::fs::metadata(self.wal()).map_or(0, |file| file.len() as usize);
    }

    /// Notes that the mark was synced as it is.
    pub(crate) fn mark_synced(&mut self) {
        self.synced_mark = read(&self.path().with_extension("mark"));
    }

    /// Returns the files as the kernel has them: what the end of a process leaves.
    pub(crate) fn image(&self) -> Image {
        let path = self.path();
        Image { log: read(&path), wal: read(&self.wal()), mark: read(&path.with_extension("mark")) }
    }

    /// Returns the files after a power cut.
    pub(crate) fn power_cut(&self, rng: &mut Rng, honesty: Honesty) -> Image {
        let mut image = self.image();
        let kept = if honesty == Honesty::Honest { self.synced_bytes.min(image.wal.len()) } else { 0 };
        let cut = kept + rng.below(image.wal.len() - kept + 1);
        match rng.below(4) {
            0 => image.wal.truncate(cut),
            1 => image.wal[cut..].fill(0),
            2 => {
                for sector in image.wal[kept..].chunks_mut(SECTOR) {
                    if rng.percent(30) {
                        sector.fill(0);
                    }
                }
            }
            _ => {
                image.wal.truncate(cut);
                flip(&mut image.wal[kept..], rng);
            }
        }
        if rng.percent(50) {
            image.mark.clone_from(&self.synced_mark);
        }
        image
    }

    /// Returns the files after some bits of one of them have changed on the disk.
    pub(crate) fn rot(&self, rng: &mut Rng) -> Image {
        let mut image = self.image();
        let file = if rng.percent(50) { &mut image.wal } else { &mut image.log };
        for _ in 0..rng.between(1, 8) {
            flip(file, rng);
        }
        image
    }

    /// Begins the next life of the process with these files, which are on the disk.
    pub(crate) fn put(&mut self, image: &Image) {
        self.life += 1;
        std::fs::create_dir(self.folder()).expect("a folder of the simulated disk can be made");
        let path = self.path();
        write(&path, &image.log);
        write(&self.wal(), &image.wal);
        write(&path.with_extension("mark"), &image.mark);
        self.synced_bytes = image.wal.len();
        self.synced_mark.clone_from(&image.mark);
    }

    /// Begins the next life after the process has closed the log: SQLite has moved all to the log's file.
    pub(crate) fn closed(&mut self) {
        self.synced();
        self.mark_synced();
    }
}

impl Image {
    /// Returns the image without its mark.
    pub(crate) fn without_mark(self) -> Self {
        Image { mark: Vec::new(), ..self }
    }
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    if !bytes.is_empty() {
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
    }
}
