//! Tokens of the role probe.

use std::path::PathBuf;
use std::sync::Arc;

use barrage_protocol::{RoomId, UserId};
use barrage_token::{Claims, Keyring, Role, Rooms};

/// Lifetime of a minted token in seconds. Each round mints a new one.
const TOKEN_SECS: u64 = 120;

/// Source of the probe's tokens.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// Mints tokens with the first key that can sign.
    Keyring(Arc<Keyring>),
    /// Reads the token from a file, which may be replaced.
    File(PathBuf),
}

impl TokenSource {
    /// Returns a token for the room of the probes.
    pub(crate) fn token(&self, user: &UserId) -> Result<String, String> {
        match self {
            TokenSource::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("the token file {} cannot be read: {error}", path.display())),
            TokenSource::Keyring(keyring) => {
                let claims = Claims {
                    sub: user.clone(),
                    name: None,
                    rooms: Rooms(vec![RoomId::PROBE.to_owned()]),
                    role: Role::Probe,
                    exp: barrage_clock::since_unix_epoch().as_secs() + TOKEN_SECS,
                    nbf: None,
                    attrs: None,
                    aud: String::new(),
                };
                keyring.mint(claims).map_err(|error| error.to_string())
            }
        }
    }
}
