//! Checks of the configuration and of the files that it names.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use barrage_bus::nats::{Finding, Level};
use barrage_token::KeyConfig;

use super::certificate;
use super::finding::finding;
use crate::config::{Config, Problem};
use crate::data_dir::{self, MakeKey};

/// Reports every mistake of the configuration; then lists keys, word lists, certificate and origins.
pub(super) fn findings(config: &Config, problems: &[Problem]) -> Vec<Finding> {
    let mut found: Vec<_> =
        problems.iter().map(|problem| finding(Level::Bad, format!("configuration: {problem}"))).collect();
    if problems.is_empty() {
        let source = match &config.file {
            Some(file) => format!("configuration: {} is valid", file.display()),
            None => "configuration: the defaults; there is no file (--config, or ./barrage.toml)".into(),
        };
        found.push(finding(Level::Good, source));
    }
    found.extend(keys(config));
    found.extend(lists(config));
    found.extend(certificate::findings(config));
    found.push(origins(config));
    found
}

fn keys(config: &Config) -> Vec<Finding> {
    if config.token.keys.is_empty() && !data_dir::key_file(&config.data_dir).exists() {
        return vec![finding(
            Level::Good,
            "token keys: none is configured; `barrage up` creates one at its first start",
        )];
    }
    let mut found = Vec::new();
    match data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never) {
        Ok(keyring) => {
            let ids = keyring.key_ids().join(", ");
            found.push(finding(Level::Good, format!("token keys: {ids} can be used")));
            if !keyring.can_sign() {
                let text = "token keys: none can sign, so that there are no guest tokens and no join tickets";
                found.push(finding(Level::Risk, text));
            }
        }
        // The problems of the configuration contain those of a configured key.
        Err(error) if config.token.keys.is_empty() => {
            found.push(finding(Level::Bad, format!("token keys: {error:#}")))
        }
        Err(_) => {}
    }
    let own = data_dir::key_file(&config.data_dir);
    let secrets = config.token.keys.iter().filter_map(|key| match key {
        KeyConfig::Hs256 { secret_file, .. } => Some(secret_file.as_path()),
        KeyConfig::Eddsa { private_key_file, .. } => private_key_file.as_deref(),
    });
    let secrets = secrets.chain(config.token.keys.is_empty().then_some(own.as_path()));
    found.extend(secrets.chain(config.http.tls_key_file.as_deref()).filter_map(open_to_others));
    found
}

/// Reports a secret file that other users of the machine can read.
fn open_to_others(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let text = format!(
        "{}: other users of this machine can read this secret; run `chmod 600` on it",
        path.display()
    );
    (mode & 0o004 != 0).then(|| finding(Level::Risk, text))
}

fn lists(config: &Config) -> Vec<Finding> {
    if config.moderation.lists.is_empty() || !barrage_moderation::file_problems(&config.moderation).is_empty()
    {
        return Vec::new();
    }
    let names: Vec<_> = config.moderation.lists.iter().map(|list| list.name.as_str()).collect();
    vec![finding(Level::Good, format!("word lists: {} can be read", names.join(", ")))]
}

fn origins(config: &Config) -> Finding {
    let origins = &config.http.allowed_origins;
    let is_public = config.listen.iter().any(|address| !address.ip().is_loopback());
    if origins.iter().any(|origin| origin == "*") && is_public {
        let text =
            "http.allowed_origins: pages of any site may connect and read; name the sites instead of `*`";
        return finding(Level::Risk, text);
    }
    let text = match origins.is_empty() {
        true => "http.allowed_origins: none, so that only pages of the server's own address may connect"
            .to_owned(),
        false => format!("http.allowed_origins: {}", origins.join(", ")),
    };
    finding(Level::Good, text)
}
