//! `barrage token`: mints a token, or explains one.

use std::io::Read;

use anyhow::{Context, bail};
use barrage_protocol::RoomId;
use barrage_token::{Claims, Explanation, Rooms};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{MintArguments, TokenArguments, TokenCommand};
use crate::config::Config;
use crate::console::print_line;
use crate::data_dir::{self, MakeKey};

/// Largest input that is read as a token, in bytes; a larger one is refused.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
/// Largest number of characters of a claim that are printed.
const CLAIM_CHARS_MAX: usize = 200;

/// Mints a token and prints it, or checks one.
pub(crate) fn main(config: &Config, arguments: &TokenArguments) -> anyhow::Result<()> {
    match (&arguments.command, &arguments.mint) {
        (Some(TokenCommand::Check { token, room }), _) => check(config, token.as_deref(), room.as_ref()),
        (None, Some(wanted)) => mint(config, wanted),
        (None, None) => bail!("--user and --room are required; see `barrage token --help`"),
    }
}

fn mint(config: &Config, arguments: &MintArguments) -> anyhow::Result<()> {
    for room in arguments.rooms.iter().filter(|room| *room != "*") {
        RoomId::parse(room).with_context(|| format!("--room {room}"))?;
    }
    if arguments.ttl_secs == 0 {
        bail!("--ttl-secs must be at least 1");
    }
    let attrs = arguments.attrs.as_deref().map(serde_json::from_str).transpose().context("--attrs")?;
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let claims = Claims {
        sub: arguments.user.clone(),
        name: arguments.name.clone(),
        rooms: Rooms(arguments.rooms.clone()),
        role: arguments.role,
        exp: unix_secs().saturating_add(arguments.ttl_secs),
        nbf: None,
        attrs,
        aud: String::new(),
    };
    print_line(keyring.mint(claims)?)
}

fn check(config: &Config, token: Option<&str>, room: Option<&RoomId>) -> anyhow::Result<()> {
    let token = match token {
        Some(token) => token.to_owned(),
        None => from_stdin()?,
    };
    // The whole value of an Authorization header is accepted as well.
    let token = match token.trim().split_once(' ') {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => token.trim(),
    };
    let keyring = data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?;
    let explained = keyring.explain(token);
    for line in lines(&explained, unix_secs()) {
        print_line(line)?;
    }
    let identity = explained.outcome.map_err(|reason| anyhow::anyhow!("the token is refused: {reason}"))?;
    match room {
        Some(room) if !identity.rooms.contain(room) => {
            bail!("the token is refused: it is not for the room {room}")
        }
        _ => print_line("the token is accepted"),
    }
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text);
    read.context("the token cannot be read from standard input")?;
    Ok(text)
}

/// Describes header, key, claims and hints of a token, one in each line.
fn lines(explained: &Explanation, now_secs: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let header = explained.header.as_ref().map_or("(not readable)".to_owned(), short);
    lines.push(format!("  header    {header}"));
    let key = explained.key.as_deref().unwrap_or("none verifies the signature: the claims are not trusted");
    lines.push(format!("  key       {key}"));
    let claims = explained.claims.as_ref().and_then(Value::as_object);
    for (name, value) in claims.into_iter().flatten() {
        let seconds = value.as_f64().filter(|_| ["exp", "nbf", "iat"].contains(&name.as_str()));
        let time = seconds.map(|secs| format!("  ({})", format_time(secs, now_secs))).unwrap_or_default();
        lines.push(format!("  {:<9} {}{time}", printable(name), short(value)));
    }
    lines.extend(explained.hints.iter().map(|hint| format!("  note      {hint}")));
    lines
}

/// Formats a value in one line, without control characters.
fn short(value: &Value) -> String {
    printable(&value.to_string())
}

fn printable(text: &str) -> String {
    let kept = text.chars().take(CLAIM_CHARS_MAX);
    kept.map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Formats a Unix time as a date, with its distance from now.
fn format_time(secs: f64, now_secs: u64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and such a time has no date")]
    let whole = secs as i64;
    let date = OffsetDateTime::from_unix_timestamp(whole).ok().and_then(|at| at.format(&Rfc3339).ok());
    let distance = whole.saturating_sub(i64::try_from(now_secs).unwrap_or(i64::MAX));
    let date = date.unwrap_or_else(|| "not a date in seconds".into());
    match distance {
        0.. => format!("{date}, in {distance} s"),
        _ => format!("{date}, {} s ago", distance.unsigned_abs()),
    }
}

fn unix_secs() -> u64 {
    barrage_clock::since_unix_epoch().as_secs()
}
