//! Finds all mistakes in the text of a scenario at once: unknown keys, missing keys, and values of
//! the wrong type. Each has its path and, where a name is misspelt, the nearest valid name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::load::population::Kind;
use crate::measure::spelling;
use crate::scenario::threshold::Threshold;
use crate::scenario::{Encoding, Identity, Scenario};

enum Shape {
    Fields(&'static [Field]),
    List(&'static Shape),
    /// A value that is checked by parsing it.
    One(fn(Value) -> Result<(), String>),
}

struct Field {
    name: &'static str,
    is_required: bool,
    shape: Shape,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, is_required: false, shape }
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, is_required: true, shape }
}

fn one<T: DeserializeOwned>(value: Value) -> Result<(), String> {
    serde_json::from_value::<T>(value).map(drop).map_err(|error| with_hint(&error.to_string()))
}

const TEXT: Shape = Shape::One(one::<String>);
const WHOLE: Shape = Shape::One(one::<u32>);
const NUMBER: Shape = Shape::One(one::<f64>);

/// The keys of [`Scenario`]; a test compares both.
const SCENARIO: Shape = Shape::Fields(&[
    required("name", TEXT),
    field("about", TEXT),
    required("viewers", WHOLE),
    field("rates_for_viewers", Shape::One(one::<Option<u32>>)),
    required("phases", Shape::List(&PHASE)),
    field("rooms", Shape::Fields(&[field("count", WHOLE), field("name", TEXT), field("zipf", NUMBER)])),
    field("chat_per_viewer_per_min", NUMBER),
    field("gifts_per_viewer_per_min", NUMBER),
    field("likes_per_viewer_per_min", NUMBER),
    field("recording", Shape::One(one::<Option<String>>)),
    field("text_chars", Shape::One(one::<Option<u32>>)),
    field(
        "replay",
        Shape::Fields(&[field("speed", NUMBER), field("from_secs", NUMBER), field("at_secs", NUMBER)]),
    ),
    field("slow", Shape::Fields(&[field("share", NUMBER), field("bytes_per_s", WHOLE)])),
    field("faults", Shape::List(&FAULT)),
    field("history", WHOLE),
    field("viewer_identity", Shape::One(one::<Identity>)),
    field("encoding", Shape::One(one::<Encoding>)),
    field("settle_secs", NUMBER),
    field("tester_lag_p99_ms_max", NUMBER),
    field("thresholds", Shape::List(&Shape::One(one::<Threshold>))),
]);
const PHASE: Shape = Shape::Fields(&[
    required("phase", Shape::One(one::<Kind>)),
    required("secs", NUMBER),
    field("to", Shape::One(one::<Option<f64>>)),
    field("chat_times", NUMBER),
    field("gift_times", NUMBER),
    field("like_times", NUMBER),
]);
const FAULT: Shape = Shape::Fields(&[required("at_secs", NUMBER), required("cut_share", NUMBER)]);

/// Returns the mistakes of a YAML text, and the scenario without the wrong parts, so that the
/// ranges of the other values can be checked.
pub(crate) fn of(yaml: &str) -> (Vec<String>, Option<Scenario>) {
    let Ok(mut value) = serde_saphyr::from_str::<Value>(yaml) else { return (Vec::new(), None) };
    let mut mistakes = Vec::new();
    walk("", &mut value, &SCENARIO, yaml, &mut mistakes);
    let rest = serde_json::from_value(value).ok();
    (mistakes, rest)
}

/// Notes and removes the mistakes in a value. Returns whether the value itself can stay.
fn walk(path: &str, value: &mut Value, shape: &Shape, yaml: &str, mistakes: &mut Vec<String>) -> bool {
    match (shape, value) {
        (Shape::One(check), value) => match check(value.clone()) {
            Ok(()) => true,
            Err(error) => {
                mistakes.push(format!("{path}{}: {error}", line(path, yaml)));
                false
            }
        },
        (Shape::List(of), Value::Array(items)) => {
            let before = mistakes.len();
            for (n, item) in items.iter_mut().enumerate() {
                walk(&format!("{path}[{n}]"), item, of, yaml, mistakes);
            }
            // A list without its wrong items would be a different list, so it is removed as a
            // whole.
            mistakes.len() == before
        }
        (Shape::Fields(fields), Value::Object(map)) => {
            unknown(path, map, fields, yaml, mistakes);
            for field in *fields {
                let path = join(path, field.name);
                let is_usable = match map.get_mut(field.name) {
                    Some(value) => walk(&path, value, &field.shape, yaml, mistakes),
                    None if field.is_required => {
                        mistakes.push(format!("{path}: is missing"));
                        true
                    }
                    None => true,
                };
                if !is_usable {
                    map.remove(field.name);
                }
            }
            true
        }
        // A key without a value has its default.
        (Shape::Fields(_) | Shape::List(_), Value::Null) => false,
        (Shape::List(_), _) => {
            mistakes.push(format!("{path}{}: must be a list", line(path, yaml)));
            false
        }
        (Shape::Fields(_), _) => {
            mistakes.push(format!("{path}{}: must be a group of keys", line(path, yaml)));
            false
        }
    }
}

fn unknown(
    path: &str,
    map: &mut Map<String, Value>,
    fields: &[Field],
    yaml: &str,
    mistakes: &mut Vec<String>,
) {
    map.retain(|key, _| {
        let is_known = fields.iter().any(|field| field.name == key);
        if !is_known {
            let hint = spelling::hint(key, fields.iter().map(|field| field.name));
            let path = join(path, key);
            mistakes.push(format!("{path}{}: unknown key{hint}", line(&path, yaml)));
        }
        is_known
    });
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}

/// Returns ` (line N)` when only one line contains the last key of the path.
fn line(path: &str, yaml: &str) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    let key = key.split('[').next().unwrap_or(key);
    let has_key = |line: &str| {
        let mut found = line.match_indices(key);
        found.any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
            is_start && line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start().starts_with(':')
        })
    };
    let mut lines = yaml.lines().enumerate().filter(|(_, line)| has_key(line));
    match (lines.next(), lines.next()) {
        (Some((n, _)), None) => format!(" (line {})", n + 1),
        _ => String::new(),
    }
}

/// Adds the nearest name to an error that lists the allowed names: "unknown variant `a`, expected
/// one of `b`, `c`".
pub(crate) fn with_hint(error: &str) -> String {
    let named: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    match named.as_slice() {
        [name, allowed @ ..] if error.starts_with("unknown") => {
            let first = error.lines().next().unwrap_or(error);
            format!("{first}{}", spelling::hint(name, allowed.iter().copied()))
        }
        _ => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(yaml: &str) -> Vec<String> {
        of(yaml).0
    }

    /// Every listed key is a key of the scenario, and every key of a scenario is listed.
    #[test]
    fn listed_keys_are_those_of_a_scenario() {
        let full = "name: a\nabout: b\nviewers: 10\nphases: [{phase: ramp, secs: 1, to: 1, chat_times: 1, \
                    gift_times: 1, like_times: 1}]\nrooms: {count: 1, name: r, zipf: 1}\n\
                    rates_for_viewers: 10\nchat_per_viewer_per_min: 1\ngifts_per_viewer_per_min: 1\nlikes_per_viewer_per_min: 1\n\
                    recording: x.xml\ntext_chars: 5\nreplay: {speed: 1, from_secs: 0, at_secs: 0}\n\
                    slow: {share: 0, bytes_per_s: 5}\nfaults: [{at_secs: 0.5, cut_share: 1}]\n\
                    history: 30\nviewer_identity: token\nencoding: json\nsettle_secs: 1\ntester_lag_p99_ms_max: 5\n\
                    thresholds: [p99 < 1s]\n";
        assert_eq!(mistakes(full), [""; 0]);
        let scenario = Scenario::parse(full).unwrap();
        let Value::Object(keys) = serde_json::to_value(&scenario).unwrap() else { panic!("not an object") };
        let Shape::Fields(fields) = SCENARIO else { panic!("not fields") };
        let listed: Vec<_> = fields.iter().map(|field| field.name).collect();
        let mut written: Vec<_> = keys.keys().map(String::as_str).collect();
        written.sort_by_key(|key| listed.iter().position(|name| name == key));
        assert_eq!(written, listed);
    }

    #[test]
    fn shipped_scenarios_have_no_mistakes() {
        for (name, text) in crate::scenario::shipped::SHIPPED {
            assert_eq!(mistakes(text), [""; 0], "{name}");
        }
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let found = mistakes(
            "name: bad\nviewrs: 3\nphases:\n  - {phase: rmap, secs: 1, to: 1}\n  - {phase: hold, second: 2}\n\
             rooms: {cout: 3}\nslow: 5\nencoding: defalte\nthresholds: [\"p9999 < 1ms\", \"loss.gifts == 0\"]\n",
        );
        let expected = [
            "viewrs (line 2): unknown key; did you mean `viewers`?",
            "viewers: is missing",
            "phases[0].phase",
            "; did you mean `ramp`?",
            "phases[1].second (line 5): unknown key",
            "phases[1].secs: is missing",
            "rooms.cout (line 6): unknown key; did you mean `count`?",
            "slow (line 7): must be a group of keys",
            "; did you mean `deflate`?",
            "`p9999` is not a figure",
            "lists them); did you mean `loss.gift`?",
        ];
        for expected in expected {
            assert!(
                found.iter().any(|mistake| mistake.contains(expected)),
                "{expected} is not in {found:#?}"
            );
        }
        assert_eq!(found.len(), 10, "{found:#?}");
    }
}
