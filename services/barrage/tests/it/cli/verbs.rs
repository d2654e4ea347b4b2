//! Every verb works against a running server, prints what its help says, and changes nothing with
//! `--dry-run`.

use barrage_testkit::Server;
use serde_json::{Value, json};

use super::run_at;
use crate::support::{MESSAGES, chat, start, start_with, text_of};

/// Verbs that read, in an order that has something to read.
const READS: &[(&str, &[&str])] = &[
    ("room_list", &["room", "list"]),
    ("room_settings", &["room", "settings", "demo"]),
    ("room_roles", &["room", "roles", "demo"]),
    ("room_attributes", &["room", "attributes", "demo"]),
    ("user_restrictions", &["user", "restrictions", "--room", "demo", "--limit", "5"]),
    ("message_why", &["message", "why", "m1"]),
    ("gateway_list", &["gateway", "list"]),
    ("gateway_show", &["gateway", "show"]),
    ("gateway_weights", &["gateway", "weights"]),
    ("gateway_factors", &["gateway", "factors"]),
    ("switch_list", &["switch", "list"]),
    ("prewarm_list", &["prewarm", "list"]),
    ("audit_list", &["audit", "list", "--limit", "5"]),
    ("fleet_list", &["fleet", "list"]),
    ("review_list", &["review", "list", "demo"]),
    ("review_list_media", &["review", "list-media"]),
    ("message_list_media", &["message", "list-media", "demo", "--limit", "5"]),
    ("words_show", &["words", "show", "demo"]),
    ("words_test", &["words", "test", "demo", "a leak"]),
    ("emote_show", &["emote", "show", "demo"]),
    ("trace_show", &["trace", "show"]),
    ("partitions_show", &["bus", "partitions", "show"]),
    ("webhook_list", &["webhook", "list"]),
    ("poll_list", &["poll", "list", "demo"]),
];

/// Verbs that change something, in an order in which each succeeds.
const CHANGES: &[(&str, &[&str])] = &[
    ("room_set", &["room", "set", "new", "--title", "New", "--stream-started", "2026-11-21T20:00:00+08:00"]),
    ("room_mute_all", &["room", "mute-all", "new", "on"]),
    ("room_slow_mode", &["room", "slow-mode", "new", "1m"]),
    ("room_event", &["room", "event", "new", "shop.card", "--id", "e1", "--data", "{\"item\":42}"]),
    (
        "room_act",
        &["room", "act", "new", r#"{"type":"mute_all","on":false}"#, "--id", "c1", "--reason", "over"],
    ),
    ("user_mute", &["user", "mute", "u", "--room", "new", "--for", "10m", "--reason", "spam"]),
    ("user_kick", &["user", "kick", "u", "--room", "new", "--for", "1h"]),
    ("user_unmute", &["user", "unmute", "u", "--room", "new"]),
    ("user_unkick", &["user", "unkick", "u", "--room", "new"]),
    ("user_revoke", &["user", "revoke", "u"]),
    ("review_set_fallback", &["review", "set-fallback", "new", "deny", "--after", "5m"]),
    (
        "emote_put",
        &[
            "emote",
            "put",
            "new",
            "e1",
            "--name",
            "Kappa",
            "--url",
            "/e/1-{px}.png",
            "--px",
            "28",
            "--px",
            "56",
        ],
    ),
    ("emote_remove", &["emote", "remove", "new", "e1"]),
    (
        "message_remove_media",
        &["message", "remove-media", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
    (
        "message_allow_media",
        &["message", "allow-media", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
    ("message_broadcast", &["message", "broadcast", "Maintenance at ten"]),
    ("switch_set", &["switch", "set", "no-likes", "true"]),
    (
        "prewarm_add",
        &["prewarm", "add", "--room", "new", "--at", "2027-01-01T00:00:00Z", "--viewers", "9", "--for", "1h"],
    ),
    ("gateway_set_factors", &["gateway", "set-factors", "g=0.5"]),
    ("gateway_drain", &["gateway", "drain", "--within", "1m"]),
    ("gateway_undrain", &["gateway", "undrain"]),
    ("trace_set", &["trace", "set", "downlink_chat=0.05"]),
    ("partitions_set", &["bus", "partitions", "set", "1"]),
    (
        "poll_open",
        &["poll", "open", "new", "p1", "Which?", "--option", "a", "--option", "b", "--for", "1m", "--words"],
    ),
    ("poll_close", &["poll", "close", "new", "p1"]),
    ("room_close", &["room", "close", "new"]),
];

async fn json_of(server: &Server, arguments: &[&str]) -> Value {
    let output = run_at(server, &[arguments, &["--output", "json"]].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", text_of(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn every_verb_reads_or_changes_and_a_dry_run_changes_nothing() {
    let server = start_with(&[("MEDIA__LISTEN", "[\"127.0.0.1:0\"]")]).await;
    let token = server.token("v", "*", "viewer").await;
    assert_eq!(server.post(MESSAGES, &token, chat("m1", "hello")).await.status, 200);
    for (operation, arguments) in READS {
        let answer = json_of(&server, arguments).await;
        assert_eq!((&answer["schema_version"], &answer["operation"]), (&json!(1), &json!(operation)));
        assert!(answer["data"].is_object(), "{answer}");
        let table = run_at(&server, arguments).await;
        assert!(table.status.success() && !table.stdout.is_empty(), "{arguments:?}: {}", text_of(&table));
    }
    for (operation, arguments) in CHANGES {
        let before = state(&server).await;
        let planned = json_of(&server, &[arguments, &["--dry-run"][..]].concat()).await;
        assert_eq!((&planned["dry_run"], &planned["operation"]), (&json!(true), &json!(operation)));
        assert!(planned["request"]["url"].as_str().unwrap().starts_with("http://"), "{planned}");
        assert_eq!(state(&server).await, before, "{operation} --dry-run changes nothing");
        let done = json_of(&server, arguments).await;
        assert_eq!((&done["schema_version"], &done["operation"]), (&json!(1), &json!(operation)));
    }
    let settings = json_of(&server, &["room", "settings", "new"]).await;
    let room = &settings["data"]["rooms"][0];
    assert_eq!(
        (&room["title"], &room["closed"], &room["slow_mode_secs"]),
        (&json!("New"), &json!(true), &json!(60))
    );
    let audit = json_of(&server, &["audit", "list", "--room", "new"]).await;
    let reason = audit["data"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|line| line["detail"]["body"]["reason"].as_str());
    assert_eq!(reason, Some("spam"), "{audit}");
}

/// Rooms, restrictions, switches and drain of the server.
async fn state(server: &Server) -> Value {
    let mut all = Vec::new();
    for arguments in [&["room", "list"][..], &["switch", "list"], &["prewarm", "list"], &["gateway", "show"]]
    {
        let mut answer = json_of(server, arguments).await;
        // The time that is left passes by itself.
        answer["data"]["ends_in_ms"].take();
        all.push(answer);
    }
    all.into()
}

#[tokio::test]
async fn tables_show_the_state_that_a_change_would_end() {
    let server = start().await;
    let planned = run_at(&server, &["room", "close", "demo", "--dry-run"]).await;
    let text = text_of(&planned);
    assert!(
        text.contains("would send: POST http://") && text.contains("/v1/admin/rooms/demo/close"),
        "{text}"
    );
    let row = text.lines().find(|line| line.trim_start().starts_with("demo ")).expect("the room's row");
    assert!(row.contains("false"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colors: {text}");
    let dump = run_at(&server, &["recorder", "uplink", "--room", "demo"]).await;
    let first = String::from_utf8(dump.stdout).unwrap();
    assert!(serde_json::from_str::<Value>(first.lines().next().unwrap()).is_ok(), "{first}");
}

#[tokio::test]
async fn gateway_is_named_by_its_id_in_the_fleet() {
    let server = start().await;
    let listed = json_of(&server, &["gateway", "list"]).await;
    let id = listed["data"]["instances"][0]["id"].as_str().unwrap().to_owned();
    let shown = json_of(&server, &["gateway", "show", &id]).await;
    assert_eq!(shown["data"]["gateway"], id.as_str());
    let unknown = run_at(&server, &["gateway", "drain", "none"]).await;
    assert!(!unknown.status.success() && text_of(&unknown).contains(&id), "{}", text_of(&unknown));
}
