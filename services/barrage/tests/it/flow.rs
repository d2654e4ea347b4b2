//! Switches, explanations of messages, word lists and the conservation ledger, on a real process.

use std::io::Write;
use std::time::Duration;

use barrage_testkit::{RawSocket, Server, ServerOptions, wait};
use serde_json::{Value, json};

use crate::support::{self, BINARY, MESSAGES, chat, paid_gift, start_with, text_of};

/// Longest wait for a state that another task reaches.
const STATE_MAX: Duration = Duration::from_secs(20);

/// Starts a server with a configuration file.
async fn server(config: &str) -> Server {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(config.as_bytes()).unwrap();
    let environment = vec![("BARRAGE_CONFIG".to_owned(), file.path().to_string_lossy().into_owned())];
    Server::start(BINARY, ServerOptions { environment, ..ServerOptions::default() }).await
}

/// Runs a command against the server. Returns whether it succeeded, and its output.
async fn command(server: &Server, arguments: &[&str]) -> (bool, String) {
    let admin = format!("http://{}", server.admin);
    let line = [&["--data-dir", "."], arguments, &["--admin", &admin]].concat();
    let output = support::barrage(server.data_dir(), &line).await;
    (output.status.success(), text_of(&output))
}

/// Returns all series whose names begin with `name`, each with its value.
async fn series(server: &Server, name: &str) -> Vec<(String, f64)> {
    let text = server.metrics().await;
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .map(|line| {
            let (labels, value) = line.rsplit_once(' ').unwrap();
            (labels.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn switches_are_listed_and_in_force_after_they_are_set() {
    let server = server("").await;
    let (token, moderator) =
        (server.token("u1", "demo", "viewer").await, server.token("m1", "demo", "moderator").await);
    let (ok, listed) = command(&server, &["switch", "list"]).await;
    assert!(ok && listed.contains("no-likes") && listed.contains("moderation-hook"), "{listed}");
    let (ok, said) = command(&server, &["switch", "set", "no-like", "true"]).await;
    assert!(!ok && said.contains("no-likes"), "the error must name the switches: {said}");

    for name in ["hold-chat", "no-likes", "history-off"] {
        let (ok, said) = command(&server, &["switch", "set", name, "true"]).await;
        assert!(ok, "{said}");
    }
    let held = server.post(MESSAGES, &token, chat("c1", "hello")).await;
    assert_eq!(held.body["outcome"], "held");
    assert_eq!(held.body["limit"]["rule"], "switch:hold-chat");
    assert_eq!(server.post(MESSAGES, &moderator, chat("c1", "hello")).await.body["outcome"], "broadcast");
    let like = json!({ "type": "like", "id": "l1", "count": 1 }).to_string();
    assert_eq!(server.post(MESSAGES, &token, like).await.body["limit"]["rule"], "switch:no-likes");
    let history = format!("http://{}/v1/rooms/demo/history", server.public);
    assert_eq!(reqwest::get(&history).await.unwrap().status(), 503);
    assert_eq!(server.post(MESSAGES, &token, paid_gift("g1")).await.body["outcome"], "broadcast");

    let (ok, _) = command(&server, &["switch", "set", "read-only", "true"]).await;
    assert!(ok);
    let refused = server.post(MESSAGES, &token, paid_gift("g2")).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    assert!(refused.retry_after.is_some());

    for name in ["hold-chat", "no-likes", "history-off", "read-only"] {
        assert!(command(&server, &["switch", "set", name, "false"]).await.0);
    }
    assert_eq!(server.post(MESSAGES, &token, chat("c2", "hello")).await.body["outcome"], "broadcast");
    assert_eq!(reqwest::get(&history).await.unwrap().status(), 200);
}

#[tokio::test]
async fn why_reports_the_checks_and_the_batch_of_a_message() {
    let server = server("[uplink.limits]\nshadow = [\"slow_mode\"]\n").await;
    let admin = server.token("a1", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    server.admin("POST", "/rooms/demo/slow-mode", &admin, &json!({ "secs": 600 })).await;
    for id in ["m1", "m2"] {
        let answer = server.post(MESSAGES, &token, chat(id, "where is it")).await;
        assert_eq!(answer.body["outcome"], "broadcast", "slow mode must only report in shadow mode");
    }
    while viewer.next_batch().await.messages.iter().all(|message| !message.body.get().contains("\"m2\"")) {}
    let (ok, said) = command(&server, &["why", "m2"]).await;
    assert!(ok, "{said}");
    for part in
        ["chat by u1 in demo", "slow_mode                shadow", "broadcast at position", "1 got it at once"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (ok, said) = command(&server, &["why", "never"]).await;
    assert!(!ok && said.contains("not seen that id"), "{said}");
    let mut shadowed = series(&server, "barrage_uplink_shadow_total").await;
    // The series of the other rules exist from the start with the value 0.
    shadowed.retain(|(_, value)| *value != 0.0);
    assert_eq!(shadowed, [("barrage_uplink_shadow_total{rule=\"slow_mode\"}".to_owned(), 1.0)]);
}

#[tokio::test]
async fn word_lists_act_on_texts_and_each_action_is_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let (masked, refused) = (folder.path().join("mask.txt"), folder.path().join("refuse.txt"));
    std::fs::write(&masked, "坏蛋\n").unwrap();
    std::fs::write(&refused, "scam\n").unwrap();
    let config = format!(
        "[[moderation.lists]]\nname = \"mild\"\nfile = {masked:?}\naction = \"mask\"\n\
         [[moderation.lists]]\nname = \"hard\"\nfile = {refused:?}\naction = \"refuse\"\n\
         [moderation.escalation]\nhits = 3\n",
    );
    let server = server(&config).await;
    let admin = server.token("a1", "*", "admin").await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;

    assert_eq!(server.post(MESSAGES, &token, chat("c1", "你这个坏 蛋呀")).await.body["outcome"], "broadcast");
    let shown = viewer.next_batch().await.messages[0].body.get().to_owned();
    assert!(shown.contains("你这个") && shown.contains("呀") && !shown.contains('蛋'), "{shown}");
    let answer = server.post(MESSAGES, &token, chat("c2", "what a S\u{200B}c a.m")).await;
    assert_eq!((answer.status, answer.code()), (422, "bad_text"));

    // The server reloads a changed list.
    assert_eq!(server.post(MESSAGES, &token, chat("c3", "广告时间")).await.status, 200);
    std::fs::write(&refused, "scam\n广告\n").unwrap();
    let mut n = 3;
    wait::until_true(STATE_MAX, "the changed word list in force", async || {
        n += 1;
        let other = server.token(&format!("x{n}"), "demo", "viewer").await;
        server.post(MESSAGES, &other, chat(&format!("c{n}"), "广告时间")).await.status == 422
    })
    .await;

    // The third hit mutes the user.
    server.post(MESSAGES, &token, chat("d1", "scam")).await;
    let muted = server.post(MESSAGES, &token, chat("d2", "hello")).await;
    assert_eq!((muted.status, muted.code()), (403, "muted"));

    let lines = wait::until(STATE_MAX, "the mute in the audit log", async || {
        let page = server.admin("GET", "/audit?room=demo", &admin, &json!(null)).await;
        let lines = page.body["lines"].as_array().unwrap().clone();
        lines.iter().any(|line| line["action"] == "mute").then_some(lines)
    })
    .await;
    let of_u1: Vec<_> = lines
        .iter()
        .rev()
        .filter(|line| line["user"] == "u1")
        .map(|line| (line["action"].as_str().unwrap(), line["actor"].as_str().unwrap()))
        .collect();
    assert_eq!(
        of_u1,
        [("mask", "list:mild"), ("refuse", "list:hard"), ("refuse", "list:hard"), ("mute", "escalation")]
    );
    // Smaller pages list the same lines.
    let mut paged: Vec<Value> = Vec::new();
    let mut before = String::new();
    loop {
        let page =
            server.admin("GET", &format!("/audit?room=demo&limit=2{before}"), &admin, &json!(null)).await;
        paged.extend(page.body["lines"].as_array().unwrap().clone());
        let Some(next) = page.body["next_before"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(paged, lines);
}

/// Messages are shown, held, refused and queued, and viewers leave meanwhile.
#[tokio::test]
async fn conservation_errors_stay_zero_over_all_outcomes() {
    let server = start_with(&[("UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "20")]).await;
    let token = server.token("u1", "demo", "viewer").await;
    let mut viewers = Vec::new();
    for _ in 0..20 {
        viewers.push(RawSocket::joined(server.public, "demo").await);
    }
    for n in 0..300 {
        server.post(MESSAGES, &token, chat(&format!("c{n}"), &format!("hello {n}"))).await;
        if n % 10 == 0 {
            server.post(MESSAGES, &token, paid_gift(&format!("g{n}"))).await;
            server.post(MESSAGES, &token, chat(&format!("e{n}"), "\u{202E}")).await;
            viewers.pop();
        }
    }
    let stages = ["uplink", "hub", "waves", "fan_out", "viewers"];
    let took = |lines: &[(String, f64)], stage: &str| -> f64 {
        let of = |(labels, _): &&(String, f64)| {
            labels.contains(&format!("stage=\"{stage}\"")) && labels.contains("fate=\"took\"")
        };
        lines.iter().filter(of).map(|(_, value)| value).sum()
    };
    wait::until_true(STATE_MAX, "all messages at every stage", async || {
        let lines = series(&server, "barrage_ledger_messages_total").await;
        stages.iter().all(|stage| took(&lines, stage) >= 30.0) && took(&lines, "uplink") >= 360.0
    })
    .await;
    // The ledger compares its stages once a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let errors = series(&server, "barrage_conservation_error").await;
    // Beside the stages above there are those of votes, polls and mail.
    assert_eq!(errors.len(), stages.len() + 3, "{errors:?}");
    assert!(errors.iter().all(|(_, value)| *value == 0.0), "{errors:?}");
}
