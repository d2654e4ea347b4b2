//! The data directory: one process at a time, and the key that `up` made.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use barrage_token::{Keyring, TokenConfig};

const KEY_FILE: &str = "token.key";
const KEY_BYTES: usize = 32;

/// Held as long as the process uses the directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes the directory if need be and locks it.
pub(crate) fn open(path: &Path) -> anyhow::Result<Lock> {
    std::fs::create_dir_all(path)
        .with_context(|| format!("the data directory {} cannot be made", path.display()))?;
    let lock = path.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
    let file = file.with_context(|| format!("{} cannot be opened", lock.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            bail!("another barrage runs on {}; stop it, or give another --data-dir", path.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", lock.display()))
        }
    }
}

/// The configured keys, or the one in the data directory.
pub(crate) fn keyring(data_dir: &Path, config: &TokenConfig, make: MakeKey) -> anyhow::Result<Keyring> {
    if !config.keys.is_empty() {
        return Keyring::load(config).context("the token keys cannot be loaded");
    }
    let path = data_dir.join(KEY_FILE);
    if !path.exists() {
        match make {
            MakeKey::Never => bail!(
                "there is no key: none is configured, and {} is not there (`barrage up` makes it)",
                path.display()
            ),
            MakeKey::IfAbsent => make_key(&path)?,
        }
    }
    let secret = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Keyring::from_secret(&secret, config).with_context(|| format!("the key in {}", path.display()))
}

/// Gives another process's data directory the key of this one.
pub(crate) fn copy_key(from: &Path, to: &Path) -> anyhow::Result<()> {
    let path = to.join(KEY_FILE);
    // A copy keeps the permissions.
    std::fs::copy(from.join(KEY_FILE), &path)
        .map(drop)
        .with_context(|| format!("the key {} cannot be written", path.display()))
}

/// Whether a missing key may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MakeKey {
    Never,
    IfAbsent,
}

/// Written whole under another name first, so that a crash leaves no half key.
fn make_key(path: &Path) -> anyhow::Result<()> {
    let secret: [u8; KEY_BYTES] = rand::random();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = path.with_extension("key.new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(hex.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("the key {} cannot be written", path.display()))
}
