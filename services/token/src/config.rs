//! Where keys come from, and what tokens must say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[token]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    /// Keys that verify; the first one that can sign mints. Several at once allow
    /// a rotation. Default: none, and `up` makes one in its data directory.
    pub keys: Vec<KeyConfig>,
    /// Value that `aud` must contain. Default `barrage`.
    pub audience: String,
    /// Clock difference allowed on `exp` and `nbf`. Default 30, at most 60.
    pub leeway_secs: u64,
    /// Whether viewers without a token may watch (never send). Default true.
    pub anonymous: bool,
    /// Whether `POST /v1/guest` gives anybody a viewer token for an hour. Default:
    /// absent, which means on in `up` while it listens on loopback alone.
    pub guests: Option<bool>,
}

impl Default for TokenConfig {
    fn default() -> Self {
        TokenConfig {
            keys: Vec::new(),
            audience: "barrage".into(),
            leeway_secs: 30,
            anonymous: true,
            guests: None,
        }
    }
}

/// One key: its id (matched with a token's `kid` when it has one), its algorithm and
/// its files. A relative path starts at the folder of the configuration file. Files are looked
/// at every few seconds; a change is in force without a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyConfig {
    /// HMAC-SHA256. The secret is the text of the file without blanks and line ends on both
    /// sides (it is not decoded): at least 32 bytes, at least 8 different ones.
    Hs256 {
        /// Key id.
        id: String,
        /// Secret file.
        secret_file: PathBuf,
    },
    /// Ed25519, PEM.
    Eddsa {
        /// Key id.
        id: String,
        /// Public key file, for verifying.
        public_key_file: PathBuf,
        /// Private key file, for minting; absent on services that only verify.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        private_key_file: Option<PathBuf>,
    },
}
