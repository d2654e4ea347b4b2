//! Requests of the uplink and of entry, and their answers.

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
use barrage_protocol::poll::{PollAnswer, PollRequest, VoteAnswer, VoteRequest};
use barrage_protocol::post::{HistoryPage, Outcome, Package, PackageAnswer, Post, PostAnswer};

use super::all_shown;
use super::page::{Example, PROTOCOL, check};

#[test]
fn every_post_and_outcome_has_an_example() {
    let name = |post: &Post| match post {
        Post::Chat { .. } => "chat",
        Post::Gift { .. } => "gift",
        Post::SuperChat { .. } => "super_chat",
        Post::Like { .. } => "like",
        Post::Reaction { .. } => "reaction",
    };
    let posts = PROTOCOL.read::<Post>("post");
    all_shown("posts", posts.iter().map(name), &["chat", "gift", "super_chat", "like", "reaction"]);
    let label = |answer: &PostAnswer| match answer.outcome {
        Outcome::Broadcast | Outcome::Held | Outcome::Duplicate => answer.outcome.label(),
    };
    let answers = PROTOCOL.read::<PostAnswer>("post-answer");
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
        "remove_media",
        "super_chat_read",
    ];
    let actions = PROTOCOL.read::<ActionRequest>("action");
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
        | Action::RemoveMedia { .. }
        | Action::SuperChatRead { .. } => request.action.label(),
    };
    all_shown("actions", actions.iter().map(label), &all);
    PROTOCOL.read::<RoleRequest>("role");
    PROTOCOL.read::<EmoteSet>("emotes");
    PROTOCOL.read::<RolesAnswer>("roles");
    PROTOCOL.read::<AttributeRequest>("attribute");
    PROTOCOL.read::<AttributeAnswer>("attribute-answer");
    PROTOCOL.read::<AttributesAnswer>("attributes");
    let mut duplicates: Vec<_> =
        PROTOCOL.read::<ActionAnswer>("action-answer").iter().map(|answer| answer.duplicate).collect();
    duplicates.sort_unstable();
    assert_eq!(duplicates, [false, true]);
}

#[test]
fn requests_and_answers_of_accounts_have_examples() {
    PROTOCOL.read::<AccountsInfo>("accounts-info");
    PROTOCOL.read::<LoginRequest>("account-login");
    PROTOCOL.read::<AccountAnswer>("account-answer");
    PROTOCOL.read::<MeRequest>("account-me");
    PROTOCOL.read::<SessionsRequest>("account-sessions");
    PROTOCOL.read::<SessionsAnswer>("account-sessions-answer");
    PROTOCOL.read::<PasswordRequest>("account-password");
    PROTOCOL.read::<LogoutRequest>("account-logout");
    PROTOCOL.read::<LogoutAnswer>("account-logout-answer");
    PROTOCOL.read::<DockTokenRequest>("dock-token-request");
    PROTOCOL.read::<DockTokenAnswer>("dock-token-answer");
}

#[test]
fn every_class_of_a_custom_event_has_an_example() {
    let label = |request: &EventRequest| match request.class {
        EventClass::Signal => "signal",
        EventClass::Gift => "gift",
        EventClass::Chat => "chat",
    };
    let shown = PROTOCOL.read::<EventRequest>("event");
    all_shown("classes of events", shown.iter().map(label), &["signal", "gift", "chat"]);
    PROTOCOL.read::<EventAnswer>("event-answer");
    let is_event = |body: &Example| body.text.starts_with(r#"{"type": "event""#);
    let bodies: Vec<_> = PROTOCOL.tagged("body").into_iter().filter(is_event).collect();
    assert!(!bodies.is_empty(), "the page has no body of a custom event");
    for body in bodies {
        body.read::<CustomEvent>();
    }
}

#[test]
fn polls_and_votes_parse() {
    PROTOCOL.read::<PollRequest>("poll");
    PROTOCOL.read::<VoteRequest>("vote");
    PROTOCOL.read::<VoteAnswer>("vote-answer");
    let closed: Vec<_> = PROTOCOL
        .read::<PollAnswer>("poll-opened")
        .iter()
        .map(|answer| answer.view.closed_ms.is_some())
        .collect();
    assert_eq!(closed, [false, true]);
}

#[test]
fn requests_and_answers_parse() {
    let package = PROTOCOL.read::<Package>("package").remove(0);
    let answer = PROTOCOL.read::<PackageAnswer>("package-answer").remove(0);
    assert_eq!(package.messages.len(), answer.answers.len());
    PROTOCOL.read::<EntryAnswer>("entry-answer");
    PROTOCOL.read::<RaceReport>("race-report");
    PROTOCOL.read::<ErrorBody>("error");
    PROTOCOL.read::<HistoryPage>("history");
}

#[test]
fn the_tunnel_carries_the_same_bodies() {
    for request in PROTOCOL.tagged("tunnel-request") {
        let body = request.value()["body"].to_string();
        check(request.line, &body, serde_json::from_str::<Post>(&body));
    }
    for example in PROTOCOL.tagged("tunnel-answer") {
        let (line, answer) = (example.line, example.value());
        let body = answer["body"].to_string();
        if answer["status"] == 200 {
            check(line, &body, serde_json::from_str::<PostAnswer>(&body));
        } else {
            let refused = check(line, &body, serde_json::from_str::<ErrorBody>(&body));
            assert_eq!(answer["status"], refused.error.code.status(), "line {line}");
        }
    }
}
