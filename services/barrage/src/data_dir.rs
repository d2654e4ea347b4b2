//! The data directory: its lock, its file modes, and the token key that `up` makes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use barrage_token::{KeyConfig, Keyring, TokenConfig};

/// File of the token key that `up` makes.
const KEY_FILE: &str = "token.key";
const KEY_BYTES: usize = 32;
/// Mode of a new file: access for its owner alone.
const PRIVATE_FILE: u32 = 0o600;
/// Mode of a new folder: access for its owner alone.
const PRIVATE_FOLDER: u32 = 0o700;
/// Largest number of files whose mode is checked; a data directory has fewer than ten.
const LOOKED_AT_MAX: usize = 1_000;

/// Lock on a data directory; released on drop.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Locks the directory, and creates it for its owner alone if it does not exist. Fails when another
/// process holds the lock. Logs a warning for each file that other users may read.
pub(crate) fn open(path: &Path) -> anyhow::Result<Lock> {
    create(path).with_context(|| format!("the data directory {} cannot be created", path.display()))?;
    let lock = path.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE_FILE).open(&lock);
    let file = file.with_context(|| format!("{} cannot be opened", lock.display()))?;
    match file.try_lock() {
        Ok(()) => {
            warn_if_others_read_any(path);
            Ok(Lock { _file: file })
        }
        Err(TryLockError::WouldBlock) => {
            bail!("another barrage runs on {}; stop it, or give another --data-dir", path.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", lock.display()))
        }
    }
}

/// Creates a folder, and the folders above it, for the owner alone.
pub(crate) fn create(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(path)
}

/// Logs a warning for the folder, and for each of its files with data or keys, that other users than
/// the owner may read.
fn warn_if_others_read_any(folder: &Path) {
    warn_if_others_read(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.take(LOOKED_AT_MAX).flatten() {
        let path = entry.path();
        let holds_data = path.extension().and_then(|it| it.to_str()).is_some_and(|extension| {
            ["sqlite", "sqlite-wal", "sqlite-shm", "key", "mark"].contains(&extension)
        });
        if holds_data {
            warn_if_others_read(&path);
        }
    }
}

/// Logs a warning with a `chmod` command when the group or others have access to a file.
pub(crate) fn warn_if_others_read(path: &Path) {
    let Ok(found) = std::fs::metadata(path) else { return };
    let mode = found.permissions().mode() & 0o777;
    let own_user = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    if mode & 0o077 != 0 && !is_mounted_secret(mode, found.uid(), own_user) {
        let wanted = if found.is_dir() { PRIVATE_FOLDER } else { PRIVATE_FILE };
        tracing::warn!(
            "{} has mode {mode:03o}: other users of this machine have access; run `chmod {wanted:03o} {}`",
            path.display(),
            path.display()
        );
    }
}

/// Whether a file is a secret as an orchestrator mounts it: of root, and readable for the group of
/// this process alone. The process can change neither.
fn is_mounted_secret(mode: u32, owner: u32, own_user: u32) -> bool {
    owner == 0 && own_user != 0 && mode & 0o037 == 0
}

/// Loads the configured keys, or without any the key in the data directory.
pub(crate) fn keyring(data_dir: &Path, config: &TokenConfig, make: MakeKey) -> anyhow::Result<Keyring> {
    if !config.keys.is_empty() {
        for key in &config.keys {
            if let KeyConfig::Hs256 { secret_file, .. } = key {
                warn_if_others_read(secret_file);
            }
        }
        return Keyring::load(config).context("the token keys cannot be loaded");
    }
    let path = secret(&key_file(data_dir), make, "token.keys")?;
    let secret = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    Keyring::from_secret(&secret, config).with_context(|| format!("the key in {}", path.display()))
}

/// Returns the path of a secret that `up` makes, once it is there. `setting` is the key that names another one.
pub(crate) fn secret(path: &Path, make: MakeKey, setting: &str) -> anyhow::Result<PathBuf> {
    match make {
        _ if path.exists() => {}
        MakeKey::Never => bail!(
            "there is no key: {setting} is not set, and {} is not there (`barrage up` makes it)",
            path.display()
        ),
        MakeKey::IfAbsent => make_key(path)?,
    }
    Ok(path.to_owned())
}

/// Returns the path of the key that `up` makes when no key is configured.
pub(crate) fn key_file(data_dir: &Path) -> PathBuf {
    data_dir.join(KEY_FILE)
}

/// Copies the key to the data directory of another process.
pub(crate) fn copy_key(from: &Path, to: &Path) -> anyhow::Result<()> {
    let path = to.join(KEY_FILE);
    // A copy keeps the permissions.
    std::fs::copy(from.join(KEY_FILE), &path)
        .map(drop)
        .with_context(|| format!("the key {} cannot be written", path.display()))
}

/// Whether a missing token key is created or is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MakeKey {
    Never,
    IfAbsent,
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let secret: [u8; KEY_BYTES] = rand::random();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    write_secret(path, hex.as_bytes())
}

/// Writes a secret for the owner alone, under another name first so that a crash leaves no part of it.
pub(crate) fn write_secret(path: &Path, secret: &[u8]) -> anyhow::Result<()> {
    let draft = path.with_extension("key.new");
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(PRIVATE_FILE).open(&draft)?;
        file.write_all(secret)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("the key {} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounted_secret_is_of_root_and_readable_for_one_group() {
        assert!(is_mounted_secret(0o440, 0, 65_532));
        assert!(!is_mounted_secret(0o444, 0, 65_532), "others may read it");
        assert!(!is_mounted_secret(0o440, 65_532, 65_532), "its owner can change the mode");
        assert!(!is_mounted_secret(0o460, 0, 65_532), "the group may write it");
        assert!(!is_mounted_secret(0o440, 0, 0), "root can change the mode");
    }
}
