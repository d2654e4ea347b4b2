//! Values of arguments: parsers that say what is wrong with a word.

use std::time::Duration;

use barrage_protocol::Sequence;
use barrage_protocol::action::Action;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Parses a value of the protocol, such as a room id.
pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Parses a time such as `10m`, in whole seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed =
        humantime::parse_duration(text).map_err(|error| format!("{error} (such as 90s, 10m, 2h)"))?;
    match parsed.subsec_nanos() {
        0 => Ok(parsed),
        _ => Err("must be whole seconds".into()),
    }
}

pub(super) fn rfc3339(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "must be a time such as 2026-11-21T20:00:00+08:00".into())
}

pub(super) fn sequence(text: &str) -> Result<Sequence, String> {
    text.parse().map(Sequence).map_err(|_| "must be a whole number".into())
}

/// Reads a JSON file.
pub(super) fn json_file(path: &str) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("the file is no JSON: {error}"))
}

/// Parses an action of a moderator as JSON.
pub(super) fn action(text: &str) -> Result<Action, String> {
    serde_json::from_str(text).map_err(|error| format!("no action: {error}"))
}

pub(super) fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("must be a key and a value, such as downlink_chat=0.05")?;
    let value = serde_json::from_str(value).map_err(|error| format!("the value is no JSON: {error}"))?;
    Ok((key.to_owned(), value))
}

pub(super) fn factor(text: &str) -> Result<(String, f64), String> {
    let wrong = || "must be a gateway and a factor, such as gateway-1=0.5".to_owned();
    let (gateway, factor) = text.split_once('=').ok_or_else(wrong)?;
    Ok((gateway.to_owned(), factor.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_whole_seconds() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5_400)));
        assert!(duration("90").unwrap_err().contains("10m"));
        assert!(duration("500ms").is_err());
    }

    #[test]
    fn factors_are_pairs() {
        assert_eq!(factor("gateway-1=0.5"), Ok(("gateway-1".into(), 0.5)));
        assert!(factor("gateway-1").is_err() && factor("g=x").is_err());
        assert_eq!(setting("watch_rooms=[\"a\"]"), Ok(("watch_rooms".into(), serde_json::json!(["a"]))));
        assert!(setting("downlink_chat=many").is_err());
    }
}
