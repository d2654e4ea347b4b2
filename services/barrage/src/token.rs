//! `barrage token`.

use anyhow::{Context, bail};
use barrage_protocol::RoomId;
use barrage_token::{Claims, Rooms};

use crate::cli::{Token, say};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Mints and prints.
pub(crate) fn main(config: &Config, asked: &Token) -> anyhow::Result<()> {
    for room in asked.rooms.iter().filter(|room| *room != "*") {
        RoomId::parse(room).with_context(|| format!("--room {room}"))?;
    }
    if asked.ttl_secs == 0 {
        bail!("--ttl-secs must be at least 1");
    }
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let now_secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let claims = Claims {
        sub: asked.user.clone(),
        name: asked.name.clone(),
        rooms: Rooms(asked.rooms.clone()),
        role: asked.role,
        exp: now_secs.saturating_add(asked.ttl_secs),
        nbf: None,
        aud: String::new(),
    };
    say(keyring.mint(claims)?)
}
