//! Keys that change while the process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use barrage_token::{KeyConfig, Keyring, TokenConfig};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::data_dir::{self, MakeKey};

/// How often the files are looked at: two looks and a load are well within 10 s.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The keys' files and the configuration file that names them.
pub(crate) struct KeyWatch {
    keyring: Arc<Keyring>,
    data_dir: PathBuf,
    file: Option<PathBuf>,
    file_stamp: Stamp,
    /// Files of the keys that the configuration named at the last look.
    key_files: Vec<PathBuf>,
    key_stamps: Vec<Stamp>,
}

/// What a file is, as far as a change shows; `None` when it is not there.
type Stamp = Option<(SystemTime, u64)>;

impl KeyWatch {
    /// Watches the files of a keyring that was just loaded from this configuration.
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

    /// Takes changed keys over until the end. Keys that cannot be used are logged once for each
    /// change, and those before stay.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            // Files may be on a slow disk.
            self = match tokio::task::spawn_blocking(move || self.look()).await {
                Ok(watch) => watch,
                Err(error) => {
                    tracing::error!(%error, "token keys are no longer watched");
                    return;
                }
            };
        }
    }

    /// Reads the keys again if a file changed.
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
                tracing::info!(keys = ids, "the token keys were read again");
            }
            Err(error) => tracing::error!("the token keys stay those from before: {error:#}"),
        }
        self
    }

    /// The keys as the configuration names them now. Each file's stamp is taken before the file is
    /// read: a change in between is seen at the next look.
    fn read(&mut self) -> anyhow::Result<Keyring> {
        self.key_stamps = stamps(&self.key_files);
        let token = config::token(self.file.as_deref())?;
        // Also when they cannot be used: a missing file may come.
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
