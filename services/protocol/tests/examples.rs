//! docs/reference/protocol.md against the types: every example parses and loses nothing,
//! every variant has one, and the table of codes is the code's.

use std::collections::BTreeSet;
use std::fmt::Debug;

use barrage_protocol::account::{
    AccountAnswer, AccountsInfo, LoginRequest, LogoutAnswer, LogoutRequest, MeRequest, PasswordRequest,
    SessionsAnswer, SessionsRequest,
};
use barrage_protocol::action::{Action, ActionAnswer, ActionRequest, RoleRequest, RolesAnswer};
use barrage_protocol::attribute::{AttributeAnswer, AttributeRequest, AttributesAnswer};
use barrage_protocol::code::ErrorBody;
use barrage_protocol::dock::{DockTokenAnswer, DockTokenRequest};
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::entry::{EntryAnswer, RaceReport};
use barrage_protocol::event::{CustomEvent, EventAnswer, EventClass, EventRequest};
use barrage_protocol::frame::{ClientFrame, PollNotices, RepairOutcome, ServerFrame};
use barrage_protocol::poll::{PollAnswer, PollRequest, VoteAnswer, VoteRequest};
use barrage_protocol::post::{HistoryPage, Outcome, Package, PackageAnswer, Post, PostAnswer};
use barrage_protocol::state::RoomState;
use barrage_protocol::{Advice, Code};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/reference/protocol.md");

/// The fenced blocks that open with "```json TAG": line, tag, text.
fn examples() -> Vec<(usize, &'static str, String)> {
    let mut examples = Vec::new();
    let mut lines = PAGE.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if fence == "text" {
            continue;
        }
        let tag =
            fence.strip_prefix("json ").unwrap_or_else(|| panic!("line {}: untagged example", number + 1));
        examples.push((number + 1, tag, body.join("\n")));
    }
    examples
}

#[test]
fn the_page_prints_the_dictionary_and_the_forms() {
    assert!(PAGE.lines().any(|line| line == barrage_protocol::deflate::DICTIONARY));
    let forms = barrage_protocol::lines::FORMS;
    assert!(forms.starts_with('\n') && forms.ends_with('\n'));
    assert!(PAGE.contains(forms.trim_matches('\n').replace('\t', "→").replace('\u{1}', "⌂").as_str()));
}

fn tagged(wanted: &str) -> Vec<(usize, String)> {
    let found = examples().into_iter().filter(|(_, tag, _)| *tag == wanted);
    let found: Vec<_> = found.map(|(line, _, text)| (line, text)).collect();
    assert!(!found.is_empty(), "no example is tagged {wanted}");
    found
}

/// Returns whether `read` has every field of `example` with the same value; `read` may have defaults
/// besides.
fn keeps(example: &Value, read: &Value) -> bool {
    match (example, read) {
        (Value::Object(example), Value::Object(read)) => {
            example.iter().all(|(key, value)| read.get(key).is_some_and(|read| keeps(value, read)))
        }
        (Value::Array(example), Value::Array(read)) => {
            example.len() == read.len()
                && example.iter().zip(read).all(|(example, read)| keeps(example, read))
        }
        (example, read) => example == read,
    }
}

fn check<T: Serialize, E: Debug>(line: usize, text: &str, read: Result<T, E>) -> T {
    let read = read.unwrap_or_else(|error| panic!("line {line}: {error:?}"));
    let example: Value = serde_json::from_str(text).expect("what a type was read from is JSON");
    let written = serde_json::to_value(&read).expect("the protocol's types are plain data");
    assert!(keeps(&example, &written), "line {line}: a field was not understood:\n{example}\n{written}");
    read
}

fn value(line: usize, text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("line {line}: {error}"))
}

/// Reads every example of a tag as a type.
fn read<T: Serialize + DeserializeOwned>(tag: &str) -> Vec<T> {
    tagged(tag).into_iter().map(|(line, text)| check(line, &text, serde_json::from_str::<T>(&text))).collect()
}

fn frames() -> Vec<ServerFrame> {
    let parse = |(line, text): (usize, String)| check(line, &text, ServerFrame::parse(text.as_bytes()));
    tagged("server-frame").into_iter().map(parse).collect()
}

/// The names that the examples show are all that there are. The functions that
/// give the names match without a wildcard: a new variant does not compile until
/// it is named there, and then its name is to be added to `all` and to the page.
fn all_shown(what: &str, shown: impl IntoIterator<Item = &'static str>, all: &[&'static str]) {
    let shown: BTreeSet<_> = shown.into_iter().collect();
    assert_eq!(shown, all.iter().copied().collect(), "{what}");
}

#[test]
fn every_server_frame_has_an_example() {
    let name = |frame: &ServerFrame| match frame {
        ServerFrame::Hello(_) => "hello",
        ServerFrame::Batch(_) => "batch",
        ServerFrame::Notice(_) => "notice",
        ServerFrame::Reconnect(_) => "reconnect",
        ServerFrame::Error(_) => "error",
        ServerFrame::Pong(_) => "pong",
        ServerFrame::Traced(_) => "traced",
    };
    let all = ["hello", "batch", "notice", "reconnect", "error", "pong", "traced"];
    all_shown("server frames", frames().iter().map(name), &all);
}

#[test]
fn a_polls_answer_is_a_batch_with_notices() {
    for (line, text) in tagged("poll-answer") {
        let batch = ServerFrame::parse(text.as_bytes());
        assert!(matches!(batch, Ok(ServerFrame::Batch(_))), "line {line}: {batch:?}");
        let PollNotices { notices } = serde_json::from_str(&text).expect("the example has notices");
        assert_eq!(notices.len(), 1, "line {line}");
    }
}

#[test]
fn batches_cover_a_range_and_show_every_repair_outcome() {
    let mut outcomes = Vec::new();
    for frame in frames() {
        let ServerFrame::Batch(batch) = frame else { continue };
        let mut last = batch.previous;
        for message in &batch.messages {
            assert!(message.sequence > last && message.sequence <= batch.sequence, "{batch:?}");
            last = message.sequence;
        }
        assert!(batch.previous <= batch.sequence, "{batch:?}");
        outcomes.extend(batch.repair.map(|repair| repair.outcome.label()));
    }
    let name = |outcome: RepairOutcome| match outcome {
        RepairOutcome::Complete | RepairOutcome::Partial | RepairOutcome::Gone => outcome.label(),
    };
    let all = [RepairOutcome::Complete, RepairOutcome::Partial, RepairOutcome::Gone].map(name);
    all_shown("repair outcomes", outcomes, &all);
}

#[test]
fn every_client_frame_has_an_example() {
    let name = |frame: &ClientFrame| match frame {
        ClientFrame::Join { .. } => "join",
        ClientFrame::Ping { .. } => "ping",
        ClientFrame::Ack { .. } => "ack",
        ClientFrame::Switch { .. } => "switch",
        ClientFrame::Repair { .. } => "repair",
        ClientFrame::Visibility { .. } => "visibility",
        ClientFrame::Traces {} => "traces",
        ClientFrame::Traced { .. } => "traced",
    };
    let shown = read::<ClientFrame>("client-frame");
    let all = ["join", "ping", "ack", "switch", "repair", "visibility", "traces", "traced"];
    all_shown("client frames", shown.iter().map(name), &all);
}

#[test]
fn every_post_and_outcome_has_an_example() {
    let name = |post: &Post| match post {
        Post::Chat { .. } => "chat",
        Post::Gift { .. } => "gift",
        Post::SuperChat { .. } => "super_chat",
        Post::Like { .. } => "like",
        Post::Reaction { .. } => "reaction",
    };
    let posts = read::<Post>("post");
    all_shown("posts", posts.iter().map(name), &["chat", "gift", "super_chat", "like", "reaction"]);
    let label = |answer: &PostAnswer| match answer.outcome {
        Outcome::Broadcast | Outcome::Held | Outcome::Duplicate => answer.outcome.label(),
    };
    let answers = read::<PostAnswer>("post-answer");
    all_shown("outcomes", answers.iter().map(label), &["broadcast", "held", "duplicate"]);
}

#[test]
fn every_action_has_an_example() {
    let all = [
        "recall",
        "purge",
        "clear",
        "mute",
        "unmute",
        "kick",
        "ban",
        "unban",
        "slow_mode",
        "mute_all",
        "pin",
        "unpin",
        "announce",
        "warn",
        "role",
        "attribute_rules",
        "speak",
        "shield",
        "shield_bundle",
        "moderation_delay",
        "reactions",
        "super_chat_read",
    ];
    let actions = read::<ActionRequest>("action");
    let label = |request: &ActionRequest| match request.action {
        Action::Recall { .. }
        | Action::Purge { .. }
        | Action::Clear {}
        | Action::Mute { .. }
        | Action::Unmute { .. }
        | Action::Kick { .. }
        | Action::Ban { .. }
        | Action::Unban { .. }
        | Action::SlowMode { .. }
        | Action::MuteAll { .. }
        | Action::Pin { .. }
        | Action::Unpin {}
        | Action::Announce { .. }
        | Action::Warn { .. }
        | Action::Role { .. }
        | Action::AttributeRules { .. }
        | Action::Speak { .. }
        | Action::Shield { .. }
        | Action::ShieldBundle { .. }
        | Action::ModerationDelay { .. }
        | Action::Reactions { .. }
        | Action::SuperChatRead { .. } => request.action.label(),
    };
    all_shown("actions", actions.iter().map(label), &all);
    read::<RoleRequest>("role");
    read::<EmoteSet>("emotes");
    read::<RolesAnswer>("roles");
    read::<AttributeRequest>("attribute");
    read::<AttributeAnswer>("attribute-answer");
    read::<AttributesAnswer>("attributes");
    let mut duplicates: Vec<_> =
        read::<ActionAnswer>("action-answer").iter().map(|answer| answer.duplicate).collect();
    duplicates.sort_unstable();
    assert_eq!(duplicates, [false, true]);
}

#[test]
fn requests_and_answers_of_accounts_have_examples() {
    read::<AccountsInfo>("accounts-info");
    read::<LoginRequest>("account-login");
    read::<AccountAnswer>("account-answer");
    read::<MeRequest>("account-me");
    read::<SessionsRequest>("account-sessions");
    read::<SessionsAnswer>("account-sessions-answer");
    read::<PasswordRequest>("account-password");
    read::<LogoutRequest>("account-logout");
    read::<LogoutAnswer>("account-logout-answer");
    read::<DockTokenRequest>("dock-token-request");
    read::<DockTokenAnswer>("dock-token-answer");
}

#[test]
fn every_class_of_a_custom_event_has_an_example() {
    let label = |request: &EventRequest| match request.class {
        EventClass::Signal => "signal",
        EventClass::Gift => "gift",
        EventClass::Chat => "chat",
    };
    let shown = read::<EventRequest>("event");
    all_shown("classes of events", shown.iter().map(label), &["signal", "gift", "chat"]);
    read::<EventAnswer>("event-answer");
    let is_event = |text: &String| text.starts_with(r#"{"type": "event""#);
    let bodies: Vec<_> = tagged("body").into_iter().filter(|(_, text)| is_event(text)).collect();
    assert!(!bodies.is_empty(), "the page has no body of a custom event");
    for (line, text) in bodies {
        check(line, &text, serde_json::from_str::<CustomEvent>(&text));
    }
}

#[test]
fn polls_and_votes_parse() {
    read::<PollRequest>("poll");
    read::<VoteRequest>("vote");
    read::<VoteAnswer>("vote-answer");
    let closed: Vec<_> =
        read::<PollAnswer>("poll-opened").iter().map(|answer| answer.view.closed_ms.is_some()).collect();
    assert_eq!(closed, [false, true]);
}

#[test]
fn requests_and_answers_parse() {
    let package = read::<Package>("package").remove(0);
    let answer = read::<PackageAnswer>("package-answer").remove(0);
    assert_eq!(package.messages.len(), answer.answers.len());
    read::<EntryAnswer>("entry-answer");
    read::<RaceReport>("race-report");
    read::<ErrorBody>("error");
    read::<HistoryPage>("history");
}

#[test]
fn the_tunnel_carries_the_same_bodies() {
    for (line, text) in tagged("tunnel-request") {
        let body = value(line, &text)["body"].to_string();
        check(line, &body, serde_json::from_str::<Post>(&body));
    }
    for (line, text) in tagged("tunnel-answer") {
        let answer = value(line, &text);
        let body = answer["body"].to_string();
        if answer["status"] == 200 {
            check(line, &body, serde_json::from_str::<PostAnswer>(&body));
        } else {
            let refused = check(line, &body, serde_json::from_str::<ErrorBody>(&body));
            assert_eq!(answer["status"], refused.error.code.status(), "line {line}");
        }
    }
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
    for (line, tag, text) in examples() {
        if TYPED.contains(&tag) {
            continue;
        }
        assert!(OTHERS.contains(&tag), "line {line}: unknown tag {tag}");
        let value = value(line, &text);
        assert!(value.is_object() && (tag != "body" || value["type"].is_string()), "line {line}");
        if let Some(state) = value.get("state") {
            check(line, &state.to_string(), serde_json::from_value::<RoomState>(state.clone()));
        }
    }
}

#[test]
fn the_table_of_codes_is_the_codes() {
    let (_, table) = PAGE.split_once("<!-- codes -->").expect("the table is marked");
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
