//! The page's tags, its table of codes, its dictionary and its forms.

use barrage_protocol::state::RoomState;
use barrage_protocol::{Advice, Code};

use super::page::{Example, PROTOCOL, check};

#[test]
fn the_page_prints_the_dictionary_and_the_forms() {
    assert!(PROTOCOL.0.lines().any(|line| line == barrage_protocol::deflate::DICTIONARY));
    let forms = barrage_protocol::lines::FORMS;
    assert!(forms.starts_with('\n') && forms.ends_with('\n'));
    assert!(PROTOCOL.0.contains(forms.trim_matches('\n').replace('\t', "→").replace('\u{1}', "⌂").as_str()));
}

/// Bodies and tokens belong to other crates: here they are JSON objects. A tag
/// that no test reads is a spelling mistake.
#[test]
fn every_tag_is_known() {
    const TYPED: &[&str] = &[
        "action",
        "action-answer",
        "role",
        "accounts-info",
        "account-login",
        "account-answer",
        "account-me",
        "account-sessions",
        "account-sessions-answer",
        "account-password",
        "account-logout",
        "account-logout-answer",
        "dock-token-request",
        "dock-token-answer",
        "event",
        "event-answer",
        "emotes",
        "roles",
        "attribute",
        "attribute-answer",
        "attributes",
        "server-frame",
        "client-frame",
        "post",
        "post-answer",
        "package",
        "package-answer",
        "entry-answer",
        "race-report",
        "error",
        "history",
        "tunnel-request",
        "tunnel-answer",
        "poll-answer",
        "poll",
        "poll-opened",
        "vote",
        "vote-answer",
    ];
    const OTHERS: [&str; 7] =
        ["body", "claims", "guest", "guest-answer", "dplayer-answer", "dplayer-post", "dplayer-refusal"];
    for example in PROTOCOL.examples() {
        let Example { line, tag, .. } = example;
        if TYPED.contains(&tag) {
            continue;
        }
        assert!(OTHERS.contains(&tag), "line {line}: unknown tag {tag}");
        let value = example.value();
        assert!(value.is_object() && (tag != "body" || value["type"].is_string()), "line {line}");
        if let Some(state) = value.get("state") {
            check(line, &state.to_string(), serde_json::from_value::<RoomState>(state.clone()));
        }
    }
}

#[test]
fn the_table_of_codes_is_the_codes() {
    let (_, table) = PROTOCOL.0.split_once("<!-- codes -->").expect("the table is marked");
    let (table, _) = table.split_once("<!-- /codes -->").expect("the table's end is marked");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let said: Vec<String> = rows.iter().map(|row| row[..3].join(" ")).collect();
    let name = |code: &Code| format!("`{}` {} {}", code.label(), code.status(), code.close());
    let meant: Vec<String> = Code::ALL.iter().map(name).collect();
    assert_eq!(said, meant);
    for (row, code) in rows.iter().zip(Code::ALL) {
        let advice = match code.advice() {
            Advice::Never => "no",
            Advice::Backoff => "backoff",
            Advice::Now => "now",
            Advice::Named => "named",
        };
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(!row[3].is_empty(), "{row:?}");
        let said = row[4].split([':', ',']).next();
        assert_eq!(said, Some(advice), "{row:?}");
    }
}
