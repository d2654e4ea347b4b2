//! Token keys, and the claims that tokens must have.

use std::path::PathBuf;

use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

use crate::claims::Role;

barrage_part::part! {
    /// Keys of tokens, and the claims that tokens must have.
    @[derive(Eq)]
    pub struct TokenConfig {
        /// Keys that verify tokens; the first one that can sign mints them. Several keys at once allow
        /// a rotation. Without any, `up` makes a key in its data directory.
        keys: Vec<KeyConfig> = Vec::new();
        /// Value that `aud` must contain.
        audience: String = "barrage".into();
        /// Largest clock difference that `exp` and `nbf` allow, in seconds.
        leeway_secs: u64 = 30, between(0, 60);
        /// Whether viewers without a token may watch. They may never send.
        anonymous: bool = true;
        /// Whether `POST /v1/guest` gives a viewer token to any caller. Without it, guests are allowed
        /// in `up` while all its addresses are on loopback.
        guests: Option<bool> = None;
    }
}

impl Setting for KeyConfig {
    const KIND: Kind = Kind::Named("key");
}

impl Setting for Role {
    const KIND: Kind = Kind::Choice(&["viewer", "moderator", "host", "admin"]);
}

/// One key: id, algorithm and files. A token with a `kid` is verified by the key with this id. A
/// relative path starts at the folder of the configuration file. A changed file is in force within
/// seconds, without a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyConfig {
    /// HMAC-SHA256. The secret is the text of the file without surrounding white space, and is not
    /// decoded: at least 32 bytes, with at least 8 different ones.
    Hs256 {
        /// Id of the key.
        id: String,
        /// File whose text is the key, at least 32 bytes.
        secret_file: PathBuf,
    },
    /// Ed25519, with keys in PEM.
    Eddsa {
        /// Id of the key.
        id: String,
        /// File with the public key, which verifies.
        public_key_file: PathBuf,
        /// File with the private key, which mints; absent where tokens are only verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        private_key_file: Option<PathBuf>,
    },
}
