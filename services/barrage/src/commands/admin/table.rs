//! Results as aligned text, for people.

use serde_json::Value;

use crate::console::printable;

/// Rows of an answer: the operation, the field with the rows, and the fields of each row.
type Rows = (&'static str, &'static str, &'static [&'static str]);

/// Lists that have columns of their own. A dot leads into an object. All other answers are printed
/// as names and values.
const ROWS: &[Rows] = &[
    ("audit_list", "lines", &["id", "at", "actor", "action", "room", "user", "detail.body.reason"]),
    ("fleet_list", "instances", &["role", "id", "admin_url", "age_secs", "draining", "report_age_ms"]),
    ("gateway_factors", "factors", &["gateway", "factor", "until_ms"]),
    (
        "gateway_list",
        "instances",
        &[
            "id",
            "draining",
            "load.connections",
            "load.rooms",
            "load.joins_per_s",
            "load.deliveries_per_s",
            "load.cpu_cores",
            "load.lag_ms",
            "load.push_p99_ms",
            "load.overload_level",
            "admin_url",
        ],
    ),
    ("gateway_set_factors", "factors", &["gateway", "factor", "until_ms"]),
    ("gateway_weights", "weights", &["gateway", "weight", "estimate", "room", "grants_per_s", "queued"]),
    ("message_broadcast", "failures", &["room", "code"]),
    ("poll_list", "polls", &["id", "question", "options", "votes", "ends_ms", "closed_ms"]),
    ("prewarm_list", "prewarms", &["id", "at", "room", "viewers", "lasts_secs"]),
    ("review_list", "reviews", &["id", "kind", "user", "rule", "matched", "lock.by", "message.text"]),
    ("room_list", "rooms", &["id", "title", "closed", "mute_all", "slow_mode_secs"]),
    ("room_attributes", "attributes", &["key", "version", "text", "expires_at_ms"]),
    ("room_roles", "roles", &["user", "role"]),
    (
        "room_settings",
        "rooms",
        &["id", "title", "closed", "mute_all", "slow_mode_secs", "stream_started_at_ms"],
    ),
    ("switch_list", "switches", &["name", "value", "values", "meaning"]),
    ("switch_set", "switches", &["name", "value", "values", "meaning"]),
    (
        "webhook_deliveries",
        "deliveries",
        &["id", "at", "kind", "event", "state", "attempts", "status", "error"],
    ),
    (
        "webhook_list",
        "endpoints",
        &["name", "url", "events", "pending", "delivered", "failed", "disabled_reason"],
    ),
    ("words_show", "figures", &["name", "texts", "hits", "percent", "summary"]),
    ("words_set", "figures", &["name", "texts", "hits", "percent", "summary"]),
    ("words_test", "hits", &["rule", "action", "shadow", "matched"]),
    ("user_restrictions", "restrictions", &["user", "muted_until", "kicked_until"]),
];

/// Formats the answer of an operation, or of a view with a name of its own.
pub(crate) fn lines(name: &str, answer: &Value) -> Vec<String> {
    let Some((_, field, columns)) = ROWS.iter().find(|(of, ..)| *of == name) else {
        return fields("", answer);
    };
    let mut lines = Vec::new();
    for (name, value) in answer.as_object().into_iter().flatten() {
        if !value.is_object() && !value.is_array() && !value.is_null() {
            lines.push(format!("{name}: {}", cell(value)));
        }
    }
    lines.extend(table(columns, &rows(&answer[*field])));
    lines
}

/// Returns the rows of a list, or those of an object by its keys.
fn rows(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows.clone(),
        Value::Object(by_key) => by_key
            .iter()
            .map(|(key, row)| {
                let mut row = row.clone();
                row["gateway"] = key.as_str().into();
                row
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Aligns rows under a head. Numbers are on the right.
fn table(columns: &[&str], rows: &[Value]) -> Vec<String> {
    let at = |row: &Value, column: &str| {
        column.split('.').fold(row.clone(), |value, part| value.get(part).cloned().unwrap_or(Value::Null))
    };
    let cells: Vec<Vec<Value>> =
        rows.iter().map(|row| columns.iter().map(|column| at(row, column)).collect()).collect();
    let head = |column: &&str| column.rsplit('.').next().unwrap_or(column).to_uppercase();
    let heads: Vec<String> = columns.iter().map(head).collect();
    let width_of = |index: usize| {
        let widths = cells.iter().map(|row| cell(&row[index]).chars().count());
        widths.chain([heads[index].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
    let line = |texts: Vec<(String, bool)>| {
        let padded = texts.into_iter().zip(&widths).map(|((text, is_number), width)| match is_number {
            true => format!("{text:>width$}"),
            false => format!("{text:<width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let is_number = |index: usize| cells.first().is_some_and(|row| row[index].is_number());
    let mut lines =
        vec![line(heads.iter().enumerate().map(|(at, head)| (head.clone(), is_number(at))).collect())];
    lines.extend(
        cells.iter().map(|row| line(row.iter().map(|value| (cell(value), value.is_number())).collect())),
    );
    lines
}

/// Formats an object as lines of names and values.
fn fields(prefix: &str, value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else {
        return if value.is_null() { Vec::new() } else { vec![format!("{prefix}{}", cell(value))] };
    };
    let mut lines = Vec::new();
    for (name, value) in object {
        match value {
            Value::Object(_) => lines.extend(fields(&format!("{prefix}{name}."), value)),
            value => lines.push(format!("{prefix}{name}: {}", cell(value))),
        }
    }
    lines
}

/// Formats one value in one line, without control characters.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => format!("{value:.2}"),
            _ => number.to_string(),
        },
        value => printable(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_aligned_and_numbers_are_on_the_right() {
        let answer = json!({ "rooms": [
            { "id": "demo", "title": "A\u{1b}[2J", "closed": false, "mute_all": true, "slow_mode_secs": 5 },
            { "id": "a-long-room", "title": "", "closed": true, "mute_all": false, "slow_mode_secs": 120 },
        ]});
        let expected = [
            "ID           TITLE  CLOSED  MUTE_ALL  SLOW_MODE_SECS",
            "demo         A\u{fffd}[2J  false   true                   5",
            "a-long-room         true    false                120",
        ];
        assert_eq!(lines("room_list", &answer), expected);
    }

    #[test]
    fn rows_by_key_have_the_key_and_other_answers_are_names_and_values() {
        let factors = json!({ "factors": { "g1": { "factor": 0.5, "until_ms": 7 } } });
        assert_eq!(lines("gateway_factors", &factors)[1], "g1         0.50         7");
        let state = json!({ "gateway": "g", "draining": false, "cause": null });
        assert_eq!(lines("gateway_show", &state), ["cause: -", "draining: false", "gateway: g"]);
    }

    #[test]
    fn every_list_belongs_to_an_operation_or_a_view() {
        let ids: Vec<_> = crate::api::operations().iter().map(|operation| operation.id).collect();
        for (name, ..) in ROWS {
            assert!(ids.contains(name) || ["gateway_list", "room_settings"].contains(name), "{name}");
        }
    }
}
