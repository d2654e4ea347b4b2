//! tmi.js, @twurple/chat, irc-framework and the package `irc` of Python, unmodified.

use serde_json::json;

use super::bot::{Bot, Library};
use super::{irc_address, start_irc};
use crate::support::{MESSAGES, chat, paid_gift};

#[tokio::test]
async fn libraries_join_hear_say_slow_time_out_and_delete() {
    let irc = irc_address(66);
    let server = start_irc(irc, &[]).await;
    let ann = server.token("ann", "demo", "viewer").await;
    let mut bots = Vec::new();
    for library in Library::ALL {
        let token = server.token(&format!("Bot.{}", library.name()), "demo", "moderator").await;
        bots.push(Bot::start(library, irc, "demo", &token));
    }
    for bot in &mut bots {
        bot.joined().await;
    }
    for at in 0..bots.len() {
        let name = bots[at].library.name();

        // A viewer of the page writes, and every bot hears it.
        let text = format!("hello {name}: 弹幕; \\o/ :)");
        let answer = server.post(MESSAGES, &ann, chat(&format!("{name}-1"), &text)).await;
        let sequence = format!("m{}", answer.body["sequence"]);
        for bot in &mut bots {
            let heard = bot.hears(&text).await;
            assert_eq!((&heard["user"], &heard["name"]), (&json!("ann"), &json!("ann")), "{heard}");
            assert_eq!(heard["id"], sequence, "{heard}");
        }

        // The bot writes, and the others hear it under its user's nick.
        let text = format!("I am {name}");
        bots[at].does("say", json!({ "text": text })).await;
        for other in (0..bots.len()).filter(|other| *other != at) {
            assert_eq!(bots[other].hears(&text).await["user"], format!("^bot^0{name}"));
        }

        // Slow mode is in force at the uplink, and all bots are told.
        bots[at].does("slow", json!({ "secs": 7 })).await;
        for bot in &mut bots {
            bot.event("slow", |event| event["secs"] == 7).await;
        }
        // A viewer who has not written yet may write once.
        let carl = server.token(&format!("carl-{name}"), "demo", "viewer").await;
        let posts = [format!("{name}-2"), format!("{name}-3")].map(|id| chat(&id, &format!("again {id}")));
        assert_eq!(server.post(MESSAGES, &carl, posts[0].clone()).await.status, 200);
        assert_eq!(server.post(MESSAGES, &carl, posts[1].clone()).await.code(), "slow_mode");
        bots[at].does("slowoff", json!({})).await;
        for bot in &mut bots {
            bot.event("slow", |event| event["secs"] == 0).await;
        }

        // A deleted message disappears by its id.
        bots[at].does("delete", json!({ "id": sequence })).await;
        for bot in &mut bots {
            let deleted = bot.event("deleted", |event| event["id"] == sequence).await;
            assert_eq!(deleted["user"], "ann");
        }

        // A timeout is a mute, and hides what the user wrote.
        let victim = server.token(&format!("victim-{name}"), "demo", "viewer").await;
        assert_eq!(server.post(MESSAGES, &victim, chat("v1", "spam")).await.status, 200);
        bots[at].does("timeout", json!({ "user": format!("victim-{name}"), "secs": 60 })).await;
        for bot in &mut bots {
            bot.event("timeout", |event| event["user"] == format!("victim-{name}")).await;
        }
        assert_eq!(server.post(MESSAGES, &victim, chat("v2", "more spam")).await.code(), "muted");
    }
    assert_eq!(server.metric("barrage_irc_connections").await, 4.0);
    assert_eq!(server.metric("barrage_irc_rooms").await, 4.0);
}

#[tokio::test]
async fn commands_and_money_of_tmi_js_work() {
    let irc = irc_address(67);
    let server = start_irc(irc, &[]).await;
    let (ann, token) =
        (server.token("ann", "demo", "viewer").await, server.token("mia", "demo", "host").await);
    let mut bot = Bot::start(Library::Tmi, irc, "demo", &token);
    bot.joined().await;

    bot.does("muteall", json!({})).await;
    assert_eq!(server.post(MESSAGES, &ann, chat("c1", "hello?")).await.code(), "room_muted");
    bot.does("mutealloff", json!({})).await;
    assert_eq!(server.post(MESSAGES, &ann, chat("c2", "hello!")).await.status, 200);
    bot.hears("hello!").await;

    let super_chat = json!({ "type": "super_chat", "id": "s1", "text": "well done", "amount_minor": 3000, "currency": "EUR" });
    assert_eq!(server.post(MESSAGES, &ann, super_chat.to_string()).await.status, 200);
    let cheer = bot.event("cheer", |_| true).await;
    assert_eq!((&cheer["bits"], &cheer["text"]), (&json!(3000), &json!("well done")));
    assert_eq!(server.post(MESSAGES, &ann, paid_gift("g1")).await.status, 200);
    let gift = bot.event("usernotice", |event| event["kind"] == "gift").await;
    assert_eq!(gift["text"], "ann sends 1 x rose");

    bot.does("ban", json!({ "user": "ann" })).await;
    assert_eq!(server.post(MESSAGES, &ann, chat("c3", "am I here?")).await.code(), "kicked");
    bot.does("unban", json!({ "user": "ann" })).await;
    assert_eq!(server.post(MESSAGES, &ann, chat("c4", "back again")).await.status, 200);
    bot.hears("back again").await;
    bot.does("clear", json!({})).await;

    // A viewer's bot has no such rights; the library reports the refusal.
    let mut viewer = Bot::start(Library::Tmi, irc, "demo", &ann);
    viewer.joined().await;
    viewer.does("say", json!({ "text": "/slow 30" })).await;
    viewer.event("notice", |event| event["id"] == "no_permission").await;
    // Nobody has to log in to read.
    let mut reader = Bot::start(Library::Tmi, irc, "demo", "");
    reader.joined().await;
    viewer.does("say", json!({ "text": "hello reader" })).await;
    assert_eq!(reader.hears("hello reader").await["user"], "ann");
}
