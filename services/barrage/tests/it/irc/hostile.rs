//! Clients that lie, and texts that try to be lines.

use std::time::Duration;

use barrage_testkit::{ClientTls, certificates, wait};
use tokio::net::TcpStream;

use super::raw::Raw;
use super::{irc_address, start_irc};
use crate::support::{MESSAGES, chat};

#[tokio::test]
async fn texts_of_others_and_of_the_client_are_no_lines() {
    let irc = irc_address(66);
    let server = start_irc(irc, &[]).await;
    let (ann, bot) =
        (server.token("ann", "demo", "viewer").await, server.token("bot", "demo", "viewer").await);
    let mut reader = Raw::joined(irc, "demo", "").await;

    // Of the page to IRC.
    let text = "hi\r\nERROR :bye\n\0@id=1 :x PRIVMSG #demo :forged";
    assert_eq!(server.post(MESSAGES, &ann, chat("c1", text)).await.status, 200);
    let line = reader.line("PRIVMSG").await;
    assert!(line.contains(":ann!ann@ann.tmi.twitch.tv PRIVMSG #demo :hi ERROR :bye"), "{line}");
    assert!(line.ends_with("forged"), "{line}");

    // Of IRC to the page: a NUL and a carriage return inside of a line refuse it.
    let mut writer = Raw::joined(irc, "demo", &bot).await;
    writer.bytes(b"PRIVMSG #demo :a\0b\r\n").await;
    writer.line("NOTICE * :Your message has a NUL").await;
    writer.bytes(b"PRIVMSG #demo :a\rPRIVMSG #demo :b\r\n").await;
    writer.line("NOTICE * :Your message has a NUL").await;
    writer.send("PRIVMSG #demo :the only one").await;
    assert!(reader.line("PRIVMSG").await.ends_with(":the only one"));
    // The own message does not come back; with echo-message it does.
    writer.line("USERSTATE").await;
    writer.send("CAP REQ :echo-message").await;
    writer.line("ACK :echo-message").await;
    writer.send("PRIVMSG #demo :the second one").await;
    // The first one may have arrived behind the acknowledgement.
    while !writer.line("PRIVMSG").await.ends_with(":the second one") {}
}

#[tokio::test]
async fn refusals_and_false_logins_are_told() {
    let irc = irc_address(67);
    let server = start_irc(irc, &[("IRC__ROOMS_MAX", "2"), ("IRC__ADDRESS_CONNECTIONS_MAX", "3")]).await;
    let token = server.token("ann", "demo", "viewer").await;

    let mut liar = Raw::connect(irc).await;
    liar.send("PASS oauth:nonsense\r\nNICK ann\r\nUSER a 0 * :a").await;
    liar.line("NOTICE * :Login authentication failed").await;
    liar.line("ERROR :Closing link: login").await;
    assert_eq!(liar.next().await, None);

    // A token that somebody else signed: the gateway of the room refuses it.
    let (signed, _) = token.rsplit_once('.').unwrap();
    let mut liar = Raw::connect(irc).await;
    liar.send(&format!("PASS oauth:{signed}.AAAA\r\nNICK ann\r\nJOIN #demo")).await;
    liar.line("NOTICE * :Login authentication failed").await;

    drop(liar);
    wait::until_true(Duration::from_secs(20), "no connection", async || {
        server.metric("barrage_irc_connections").await == 0.0
    })
    .await;

    let mut reader = Raw::joined(irc, "demo", "").await;
    reader.send("PRIVMSG #demo :may I?").await;
    reader.line("msg-id=msg_requires_login").await;
    reader.send("JOIN #nowhere").await;
    reader.line("msg-id=msg_channel_suspended").await;
    reader.send("JOIN #a,#b,#c").await;
    reader.line(" 405 ").await;

    let mut writer = Raw::joined(irc, "demo", &token).await;
    writer.send("PRIVMSG #demo :/delete m999999").await;
    writer.line("msg-id=no_permission").await;
    writer.send("PRIVMSG #demo :/timeout").await;
    writer.line("msg-id=usage_timeout").await;
    writer.send("PRIVMSG #demo :/raid x").await;
    writer.line("msg-id=unrecognized_cmd").await;
    writer.send(&format!("PRIVMSG #demo :{}", "x".repeat(900))).await;
    writer.line("msg-id=msg_rejected_mandatory").await;

    // The third connection of the address is the last one.
    let _third = Raw::joined(irc, "demo", "").await;
    let mut fourth = Raw::connect(irc).await;
    fourth.line("ERROR :Closing link: too many connections from your address").await;
}

#[tokio::test]
async fn bans_close_the_room_and_encrypted_connections_work() {
    let (irc, encrypted) = (irc_address(68), irc_address(69));
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key, ca) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let listen = format!("[\"{encrypted}\"]");
    let settings = [
        ("HTTP__TLS_CERT_FILE", cert.as_str()),
        ("HTTP__TLS_KEY_FILE", key.as_str()),
        ("CA_FILE", ca.as_str()),
        ("IRC__TLS_LISTEN", listen.as_str()),
    ];
    let server = start_irc(irc, &settings).await;
    let (ann, host) =
        (server.token("ann", "demo", "viewer").await, server.token("mia", "demo", "host").await);

    let tls = ClientTls::load(Some(&folder.path().join("ca.pem"))).unwrap();
    let socket = TcpStream::connect(encrypted).await.unwrap();
    let mut ann = {
        let mut raw = Raw::over(tls.connect("localhost", socket).await.unwrap());
        raw.send(&format!("PASS oauth:{ann}\r\nNICK ann\r\nJOIN #demo")).await;
        raw.line(" 366 ").await;
        raw
    };
    let mut moderator = Raw::joined(irc, "demo", &host).await;
    let mut reader = Raw::joined(irc, "demo", "").await;
    moderator.send("PRIVMSG #demo :/warn ann no links, please").await;
    ann.line("A moderator warns you: no links, please").await;
    moderator.send("PRIVMSG #demo :/ban ann spam").await;
    moderator.line("msg-id=ban_success").await;
    ann.line("You are banned from this room").await;
    ann.line(":ann!ann@ann.tmi.twitch.tv PART #demo").await;
    let ban = reader.line("CLEARCHAT #demo :ann").await;
    assert!(ban.contains("target-user-id=ann"), "{ban}");
}
