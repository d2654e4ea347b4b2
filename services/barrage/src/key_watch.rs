//! Reloads the token keys when a file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use barrage_token::{KeyConfig, Keyring, TokenConfig};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::data_dir::{self, MakeKey};

/// Time between two looks at the files. Two looks and a load take well under the 10 s that the
/// operations guide promises.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Watch over the key files and the configuration file that names them.
pub(crate) struct KeyWatch {
    keyring: Arc<Keyring>,
    data_dir: PathBuf,
    file: Option<PathBuf>,
    file_stamp: Stamp,
    /// Key files that the configuration named at the last look.
    key_files: Vec<PathBuf>,
    key_stamps: Vec<Stamp>,
}

/// Time of the last change and size of a file; `None` when the file does not exist.
type Stamp = Option<(SystemTime, u64)>;

impl KeyWatch {
    /// Creates a watch for a keyring that was just loaded from this configuration.
    pub(crate) fn new(keyring: Arc<Keyring>, config: &Config) -> Self {
        let (data_dir, file) = (config.data_dir.clone(), config.file.clone());
        let key_files = key_files(&data_dir, &config.token);
        let key_stamps = stamps(&key_files);
        KeyWatch {
            keyring,
            data_dir,
            file_stamp: file.as_deref().and_then(stamp),
            file,
            key_files,
            key_stamps,
        }
    }

    /// Reloads changed keys until `shutdown`. Keys that cannot be loaded are logged once for each
    /// change, and the keys before stay in force.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = shutdown.cancelled() => return,
            }
            // The files may be on a slow disk.
            self = match tokio::task::spawn_blocking(move || self.look()).await {
                Ok(watch) => watch,
                Err(error) => {
                    tracing::error!(%error, "the watch over the token keys failed; changed keys need a restart");
                    return;
                }
            };
        }
    }

    /// Reloads the keys if a file has changed.
    fn look(mut self) -> Self {
        let file_stamp = self.file.as_deref().and_then(stamp);
        if file_stamp == self.file_stamp && stamps(&self.key_files) == self.key_stamps {
            return self;
        }
        self.file_stamp = file_stamp;
        match self.read() {
            Ok(keyring) => {
                let ids = keyring.key_ids().join(", ");
                self.keyring.replace_keys(&keyring);
                tracing::info!(keys = ids, "the token keys were reloaded");
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "changed token keys cannot be loaded; the keys before stay in force"
            ),
        }
        self
    }

    /// Loads the keys that the configuration names now. The stamp of each file is taken before the
    /// file is read, so that the next look sees a change in between.
    fn read(&mut self) -> anyhow::Result<Keyring> {
        self.key_stamps = stamps(&self.key_files);
        let token = config::token(self.file.as_deref())?;
        // Watched even if the load fails, because a missing file may appear later.
        self.key_files = key_files(&self.data_dir, &token);
        self.key_stamps = stamps(&self.key_files);
        data_dir::keyring(&self.data_dir, &token, MakeKey::Never)
    }
}

fn key_files(data_dir: &Path, token: &TokenConfig) -> Vec<PathBuf> {
    let mut files = vec![data_dir::key_file(data_dir)];
    for key in &token.keys {
        match key {
            KeyConfig::Hs256 { secret_file, .. } => files.push(secret_file.clone()),
            KeyConfig::Eddsa { public_key_file, private_key_file, .. } => {
                files.push(public_key_file.clone());
                files.extend(private_key_file.clone());
            }
        }
    }
    files
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let seen = std::fs::metadata(path).ok()?;
    Some((seen.modified().ok()?, seen.len()))
}
