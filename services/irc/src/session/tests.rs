//! Sessions without sockets: lines and events in, lines out.

use barrage_client::{Event, SendError};
use barrage_protocol::code::{Advice, Refusal};
use barrage_protocol::entry::Transport;
use barrage_protocol::frame::{BatchMessage, Hello};
use barrage_protocol::post::Outcome;
use barrage_protocol::{Code, RoomId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::ClientLine;

const NOW_MS: u64 = 1_700_000_000_000;

fn token(user: &str, role: &str) -> String {
    let claims = json!({ "sub": user, "name": "Ann; B", "role": role, "exp": 4_000_000_000_u64 });
    format!("x.{}.y", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn demo() -> RoomId {
    RoomId::parse("demo").unwrap()
}

/// A session with the lines that it sent.
struct Client(Session);

impl Client {
    fn new() -> Self {
        Client(Session::new("irc-1-".into(), 2))
    }

    /// A client of the format that is in the room `demo`.
    fn joined(user: &str, role: &str) -> Self {
        let mut client = Client::new();
        client.line("CAP REQ :twitch.tv/tags twitch.tv/commands twitch.tv/membership");
        client.line(&format!("PASS oauth:{}", token(user, role)));
        client.line("NICK whatever");
        client.line("JOIN #demo");
        client.event(&hello());
        client
    }

    fn effects(&mut self, line: &str) -> Vec<Effect> {
        self.0.line(&ClientLine::parse(line.as_bytes()).unwrap(), NOW_MS)
    }

    fn line(&mut self, line: &str) -> Vec<String> {
        let effects = self.effects(line);
        self.sent(effects)
    }

    fn event(&mut self, event: &Event) -> Vec<String> {
        let effects = self.0.event(&demo(), event, NOW_MS);
        self.sent(effects)
    }

    fn message(&mut self, body: &Value) -> Vec<String> {
        self.event(&Event::Message(message(42, body)))
    }

    fn sent(&self, effects: Vec<Effect>) -> Vec<String> {
        let capabilities = self.0.capabilities;
        let lines = effects.into_iter().filter_map(|effect| match effect {
            Effect::Send(line) if line.is_for(capabilities) => Some(line.encode(capabilities)),
            _ => None,
        });
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}

fn hello() -> Event {
    let hello: Hello = serde_json::from_value(json!({
        "room": "demo", "connection": "c", "ping_interval_ms": 25_000, "sequence": 1, "resume": false, "online": 1,
        "state": { "settings": { "version": 1, "value": { "title": "d", "slow_mode_secs": 9 } } }
    }))
    .unwrap();
    Event::Hello(Box::new(hello), Transport::Ws)
}

fn message(sequence: u64, body: &Value) -> BatchMessage {
    let class = if body["type"] == "signal" { "signal" } else { "chat" };
    serde_json::from_value(json!({ "sequence": sequence, "class": class, "body": body })).unwrap()
}

#[test]
fn client_of_the_format_logs_in_without_cap_end() {
    let mut client = Client::new();
    assert_eq!(client.line("CAP REQ :twitch.tv/tags"), [":tmi.twitch.tv CAP * ACK :twitch.tv/tags"]);
    assert!(client.line(&format!("PASS oauth:{}", token("Ann", "viewer"))).is_empty());
    let welcome = client.line("NICK somebody");
    assert_eq!(welcome[0], ":tmi.twitch.tv 001 ^ann :Welcome, GLHF!");
    assert!(
        welcome.iter().any(|line| line.contains(" 376 "))
            && !welcome.iter().any(|line| line.contains(" 005 "))
    );
}

#[test]
fn client_of_ircv3_logs_in_at_cap_end() {
    let mut client = Client::new();
    assert!(client.line("CAP LS 302")[0].contains("message-tags"));
    client.line("NICK justinfan5");
    assert!(client.line("USER a 0 * :a").is_empty());
    assert_eq!(client.line("CAP REQ :sasl"), [":tmi.twitch.tv CAP * NAK :sasl"]);
    assert!(client.line("CAP END").iter().any(|line| line.contains(" 005 ")));
}

#[test]
fn bad_token_and_missing_token_end_the_connection() {
    for lines in [["PASS oauth:x", "NICK ann"], ["NICK ann", "USER a 0 * :a"]] {
        let mut client = Client::new();
        client.line(lines[0]);
        let effects = client.effects(lines[1]);
        assert_eq!(effects[1], Effect::Close(CloseCause::Login));
        assert_eq!(client.sent(effects), [":tmi.twitch.tv NOTICE * :Login authentication failed"]);
    }
}

#[test]
fn join_is_seen_once_the_platform_admits_it_and_never_again() {
    let mut client = Client::new();
    client.line("NICK justinfan5");
    assert_eq!(client.effects("JOIN #demo"), [Effect::Join(demo())]);
    assert!(client.effects("JOIN #demo").is_empty());
    let lines = client.event(&hello());
    assert_eq!(lines[0], ":justinfan5!justinfan5@justinfan5.tmi.twitch.tv JOIN #demo");
    assert_eq!(lines[1], ":justinfan5.tmi.twitch.tv 353 justinfan5 = #demo :justinfan5");
    assert_eq!(lines.len(), 3, "without the capability, no ROOMSTATE");
    assert!(client.event(&hello()).is_empty(), "a reconnect behind the client");
    assert_eq!(client.effects("PART #demo")[0], Effect::Part(demo()));
    assert!(client.event(&hello()).is_empty(), "an event of a room that was left");
}

#[test]
fn newcomer_learns_the_state_of_the_room() {
    let mut client = Client::new();
    client.line("CAP REQ :twitch.tv/tags twitch.tv/commands");
    client.line("NICK justinfan5");
    client.line("JOIN #demo");
    let state = client.event(&hello()).pop().unwrap();
    assert!(state.contains(";slow=9;subs-only=0 :tmi.twitch.tv ROOMSTATE #demo"), "{state}");
}

#[test]
fn rooms_are_bounded_and_names_checked() {
    let mut client = Client::new();
    client.line("NICK justinfan5");
    assert_eq!(client.effects("JOIN #a,#^b").len(), 2);
    assert!(client.line("JOIN #c")[0].contains(" 405 justinfan5 #c "));
    assert!(client.line("JOIN #^")[0].contains(" 403 "));
    assert_eq!(
        client.effects("JOIN 0"),
        [Effect::Part(RoomId::parse("B").unwrap()), Effect::Part(RoomId::parse("a").unwrap())]
    );
}

#[test]
fn messages_have_the_tags_of_the_format() {
    let mut client = Client::joined("ann", "viewer");
    let body = json!({ "type": "chat", "id": "c1", "user": "Bo@x", "name": "Bo; the 1st", "role": "moderator",
        "text": "hi\r\nQUIT", "style": { "color": 255 }, "at_ms": NOW_MS });
    let line = client.message(&body).remove(0);
    for part in [
        "badges=moderator/1;",
        "color=#0000FF;",
        "display-name=Bo\\:\\sthe\\s1st;",
        ";id=m42;",
        ";mod=1;",
        ";room-id=demo;",
        ";tmi-sent-ts=1700000000000;",
        ";user-id=Bo@x",
        " :^bo^2x!^bo^2x@^bo^2x.tmi.twitch.tv PRIVMSG #demo :hi  QUIT",
    ] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    assert!(!line.contains("time=") && !line.contains("msgid="));
    let paid = json!({ "type": "super_chat", "id": "s", "user": "bo", "name": "Bo", "text": "gg", "amount_minor": 500,
        "currency": "EUR", "at_ms": 1 });
    assert!(
        client.message(&paid)[0]
            .contains("bits=500;pinned-chat-paid-amount=500;pinned-chat-paid-currency=EUR")
    );
    let rich = json!({ "type": "chat", "id": "r", "user": "bo", "name": "Bo", "text": "😀 Kappa", "at_ms": 1,
        "attrs": { "badges": ["member/12", "vip", "a,b"], "color": 16711680 }, "emotes": [[3, 8, "25"], [5, 99, "26"]],
        "reply_to": { "sequence": 7, "user": "Cy", "name": "Cy" } });
    let line = client.message(&rich).remove(0);
    for part in [
        "badges=member/12,vip/1;",
        "color=#FF0000;",
        ";emotes=25:2-6;",
        "reply-parent-msg-id=m7;",
        "reply-parent-user-login=^cy;",
    ] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    let gift = json!({ "type": "gift", "id": "g", "user": "bo", "name": "Bo", "gift": { "name": "rose", "count": 3, "price_minor": 100 } });
    let line = client.message(&gift).remove(0);
    assert!(line.contains("msg-id=gift") && line.contains("system-msg=Bo\\ssends\\s3\\sx\\srose"), "{line}");
    assert!(line.contains(" USERNOTICE #demo") && line.contains("msg-param-price-minor=300"), "{line}");
}

#[test]
fn own_messages_come_back_with_echo_message_alone() {
    let mut client = Client::joined("ann", "viewer");
    let own =
        json!({ "type": "chat", "id": "irc-1-1", "user": "ann", "name": "Ann", "text": "hi", "at_ms": 1 });
    assert!(client.message(&own).is_empty());
    let other_device =
        json!({ "type": "chat", "id": "web-1", "user": "ann", "name": "Ann", "text": "hi", "at_ms": 1 });
    assert_eq!(client.message(&other_device).len(), 1);
    client.line("CAP REQ :echo-message");
    assert_eq!(client.message(&own).len(), 1);
}

#[test]
fn signals_are_the_lines_that_bots_know() {
    let mut client = Client::joined("ann", "viewer");
    client.message(
        &json!({ "type": "chat", "id": "c", "user": "bo", "name": "Bo", "text": "spam", "at_ms": 1 }),
    );
    let mut lines = |body: Value| client.message(&body).join("\n");
    let signal = |name: &str, fields: Value| {
        let mut body = fields;
        body["type"] = json!("signal");
        body["signal"] = json!(name);
        body
    };
    let slow = lines(signal("slow_mode", json!({ "secs": 5 })));
    assert!(slow.starts_with("@room-id=demo;slow=5 :tmi.twitch.tv ROOMSTATE #demo\n"), "{slow}");
    assert!(slow.contains("msg-id=slow_on"));
    assert!(lines(signal("speak", json!({ "slow_mode_secs": 5 }))).is_empty());
    assert!(lines(signal("speak", json!({ "slow_mode_secs": 30 }))).contains("slow=30 "));
    let muted = lines(signal("mute_all", json!({ "on": true })));
    assert!(muted.contains("subs-only=1") && muted.contains("msg-id=subs_on"), "{muted}");
    let recall = lines(signal("recall", json!({ "sequence": 42 })));
    assert!(recall.starts_with("@login=bo;room-id=demo;target-msg-id=m42;"), "{recall}");
    assert!(recall.ends_with("CLEARMSG #demo :spam"), "{recall}");
    let purge = lines(signal("purge", json!({ "user": "Bo" })));
    assert!(purge.starts_with("@ban-duration=1;") && purge.ends_with("CLEARCHAT #demo :^bo"), "{purge}");
    let kick = lines(signal("kick", json!({ "user": "bo", "until_ms": NOW_MS + 60_000 })));
    assert!(kick.starts_with("@ban-duration=60;"), "{kick}");
    let ban = lines(signal("kick", json!({ "user": "bo", "until_ms": NOW_MS + 315_360_000_000 })));
    assert!(!ban.contains("ban-duration") && ban.ends_with("CLEARCHAT #demo :bo"), "{ban}");
    assert!(lines(signal("clear", json!({}))).ends_with("CLEARCHAT #demo"));
    assert!(lines(signal("announcement", json!({ "text": "soon" }))).contains("msg-id=announcement"));
    let role = lines(signal("role", json!({ "user": "ann", "role": "moderator" })));
    assert!(role.contains(":jtv MODE #demo +o ann") && role.contains("mod=1"), "{role}");
    assert!(lines(signal("of_the_future", json!({}))).is_empty());
}

#[test]
fn client_without_capabilities_gets_plain_lines() {
    let mut client = Client::new();
    client.line("NICK justinfan5");
    client.line("JOIN #demo");
    assert_eq!(client.event(&hello()).len(), 3);
    let chat = json!({ "type": "chat", "id": "c", "user": "bo", "name": "Bo", "text": "hi", "at_ms": 1 });
    assert_eq!(client.message(&chat), [":bo!bo@bo.tmi.twitch.tv PRIVMSG #demo :hi"]);
    let announcement = json!({ "type": "signal", "signal": "announcement", "text": "soon" });
    assert_eq!(client.message(&announcement), [":tmi.twitch.tv NOTICE #demo :soon"]);
    assert!(client.message(&json!({ "type": "signal", "signal": "purge", "user": "bo" })).is_empty());
}

#[test]
fn work_is_numbered_and_its_answers_are_told() {
    let mut client = Client::joined("ann", "moderator");
    let mut effects = client.effects("PRIVMSG #demo :hello");
    let Some(Effect::Work(work)) = effects.pop() else { panic!("no work") };
    assert_eq!((work.id.as_str(), &work.task), ("irc-1-1", &WorkTask::Chat { text: "hello".into() }));
    let refusal = Refusal::new(Code::SlowMode, "slow").retry_after_ms(3_000);
    let answered = |result| Answered { work: work.clone(), result };
    let told = |result| {
        let effects = client.0.answered(&answered(result));
        client.sent(effects).join("\n")
    };
    assert!(told(Ok(Outcome::Broadcast)).contains("USERSTATE #demo"));
    assert!(told(Ok(Outcome::Held)).contains("msg-id=msg_rejected "));
    assert!(told(Err(SendError::Refused(refusal))).contains("msg-id=msg_slowmode "));
    assert!(told(Err(SendError::Deadline("x".into()))).contains("msg-id=msg_failed "));
    assert!(
        told(Err(SendError::Refused(Refusal::new(Code::TokenExpired, "x"))))
            .contains("Login authentication failed")
    );
    // An answer to a room that was left says nothing.
    client.line("PART #demo");
    assert!(client.0.answered(&answered(Ok(Outcome::Broadcast))).is_empty());
}

#[test]
fn end_of_a_viewer_leaves_the_room() {
    for (code, part) in [
        (Code::Kicked, "msg_banned"),
        (Code::RoomClosed, "msg_channel_suspended"),
        (Code::WrongRoom, "no_permission"),
    ] {
        let mut client = Client::joined("ann", "viewer");
        let closed = Event::Closed { code: Some(code.close()), advice: Advice::Never, message: "m".into() };
        let lines = client.event(&closed);
        assert!(lines[0].contains(part) && lines[1].ends_with("PART #demo"), "{lines:?}");
        assert_eq!(client.effects("JOIN #demo"), [Effect::Join(demo())], "the client may try again");
    }
}

#[test]
fn pings_of_both_forms_are_answered_without_a_prefix() {
    let mut client = Client::new();
    assert_eq!(client.line("PING"), ["PONG tmi.twitch.tv :"]);
    assert_eq!(client.line("PING :a b"), ["PONG tmi.twitch.tv :a b"]);
}

proptest! {
    #[test]
    fn any_lines_leave_every_answer_on_one_line(lines in proptest::collection::vec("(CAP|JOIN|PART|PRIVMSG|NICK|PASS|NAMES|[A-Z]{1,9})( #?[^\r\n\0]{0,12}){0,3}( :[^\r\n\0]{0,30})?", 1..30)) {
        let mut client = Client::joined("ann", "viewer");
        for line in lines {
            if let Ok(line) = ClientLine::parse(line.as_bytes()) {
                let effects = client.0.line(&line, NOW_MS);
                for sent in client.sent(effects) {
                    prop_assert!(!sent.contains(['\r', '\n', '\0']), "{:?}", sent);
                }
            }
        }
    }

    #[test]
    fn any_body_is_whole_lines(text in "(?s).{0,40}", name in "(?s).{0,20}", user in "(?s).{0,20}", kind in "chat|gift|super_chat|signal|x") {
        let mut client = Client::joined("ann", "viewer");
        let body = json!({ "type": kind, "id": "c", "user": user, "name": name, "text": text, "signal": "kick", "gift": { "name": name } });
        for line in client.message(&body) {
            prop_assert!(!line.contains(['\r', '\n', '\0']), "{:?}", line);
        }
    }
}
