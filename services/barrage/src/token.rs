//! `barrage token`: mints a token, or explains one.

use std::io::Read;

use anyhow::{Context, bail};
use barrage_protocol::RoomId;
use barrage_token::{Claims, Explanation, Rooms};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{Mint, Token, TokenCommand, say};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Longest input that is read as a token, in bytes; more is refused.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
/// Characters of a claim that are printed.
const CLAIM_CHARS_MAX: usize = 200;

/// Mints and prints, or checks.
pub(crate) fn main(config: &Config, asked: &Token) -> anyhow::Result<()> {
    match (&asked.command, &asked.mint) {
        (Some(TokenCommand::Check { token, room }), _) => check(config, token.as_deref(), room.as_ref()),
        (None, Some(wanted)) => mint(config, wanted),
        (None, None) => bail!("--user and --room are needed; `barrage token --help` has the rest"),
    }
}

fn mint(config: &Config, asked: &Mint) -> anyhow::Result<()> {
    for room in asked.rooms.iter().filter(|room| *room != "*") {
        RoomId::parse(room).with_context(|| format!("--room {room}"))?;
    }
    if asked.ttl_secs == 0 {
        bail!("--ttl-secs must be at least 1");
    }
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let claims = Claims {
        sub: asked.user.clone(),
        name: asked.name.clone(),
        rooms: Rooms(asked.rooms.clone()),
        role: asked.role,
        exp: unix_secs()?.saturating_add(asked.ttl_secs),
        nbf: None,
        aud: String::new(),
    };
    say(keyring.mint(claims)?)
}

fn check(config: &Config, token: Option<&str>, room: Option<&RoomId>) -> anyhow::Result<()> {
    let token = match token {
        Some(token) => token.to_owned(),
        None => from_stdin()?,
    };
    // A whole `Bearer TOKEN` is taken, too.
    let token = match token.trim().split_once(' ') {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => token.trim(),
    };
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let explained = keyring.explain(token);
    for line in lines(&explained, unix_secs()?) {
        say(line)?;
    }
    let identity = explained.outcome.map_err(|reason| anyhow::anyhow!("the token is refused: {reason}"))?;
    match room {
        Some(room) if !identity.rooms.contain(room) => {
            bail!("the token is refused: it is not for the room {room}")
        }
        _ => say("the token is accepted"),
    }
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text);
    read.context("the token cannot be read from standard input")?;
    Ok(text)
}

fn lines(explained: &Explanation, now_secs: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let header = explained.header.as_ref().map_or("(not readable)".to_owned(), short);
    lines.push(format!("  header    {header}"));
    let key = explained.key.as_deref().unwrap_or("none: its claims are anybody's");
    lines.push(format!("  key       {key}"));
    let claims = explained.claims.as_ref().and_then(Value::as_object);
    for (name, value) in claims.into_iter().flatten() {
        let seconds = value.as_f64().filter(|_| ["exp", "nbf", "iat"].contains(&name.as_str()));
        let time = seconds.map(|secs| format!("  ({})", moment(secs, now_secs))).unwrap_or_default();
        lines.push(format!("  {:<9} {}{time}", printable(name), short(value)));
    }
    lines.extend(explained.hints.iter().map(|hint| format!("  note      {hint}")));
    lines
}

/// A value in one line, without anything that drives a terminal.
fn short(value: &Value) -> String {
    printable(&value.to_string())
}

fn printable(text: &str) -> String {
    let kept = text.chars().take(CLAIM_CHARS_MAX);
    kept.map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A Unix time as a date, and how far it is.
fn moment(secs: f64, now_secs: u64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and such a time is no date")]
    let whole = secs as i64;
    let date = OffsetDateTime::from_unix_timestamp(whole).ok().and_then(|at| at.format(&Rfc3339).ok());
    let distance = whole.saturating_sub(i64::try_from(now_secs).unwrap_or(i64::MAX));
    let date = date.unwrap_or_else(|| "no date in seconds".into());
    match distance {
        0.. => format!("{date}, in {distance} s"),
        _ => format!("{date}, {} s ago", distance.unsigned_abs()),
    }
}

fn unix_secs() -> anyhow::Result<u64> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs())
}
