//! The bot of the guide works as it stands there.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::raw::Raw;
use super::{irc_address, start_irc};
use crate::pages::{block, page};

#[tokio::test]
async fn bot_of_the_guide_answers_and_deletes() {
    let program = block(&page("docs/guide/irc.md"), "js bot");
    assert!(program.lines().count() <= 30, "{} lines", program.lines().count());
    let irc = irc_address(66);
    let server = start_irc(irc, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../irc/tests/js/node_modules");
    std::os::unix::fs::symlink(modules.canonicalize().unwrap(), folder.path().join("node_modules")).unwrap();
    std::fs::write(folder.path().join("bot.mjs"), program).unwrap();
    let (bot, ann) =
        (server.token("helper", "demo", "moderator").await, server.token("ann", "demo", "viewer").await);
    let mut reader = Raw::joined(irc, "demo", &ann).await;
    let _bot = Command::new("node")
        .arg(folder.path().join("bot.mjs"))
        .args([irc.ip().to_string(), irc.port().to_string(), "demo".into(), bot])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // The bot logs in and joins when it is ready.
    barrage_testkit::wait::until_true(
        std::time::Duration::from_secs(60),
        "the bot in the room",
        async || {
            server.metric("barrage_irc_rooms").await >= 2.0
                && server.metric("barrage_gateway_connections").await >= 2.0
        },
    )
    .await;
    reader.send("PRIVMSG #demo :!ping").await;
    assert!(reader.line(":helper!").await.ends_with("PRIVMSG #demo :pong, ann"));
    reader.send("PRIVMSG #demo :buy followers here").await;
    let deleted = reader.line("CLEARMSG").await;
    assert!(deleted.contains("login=ann") && deleted.ends_with(":buy followers here"), "{deleted}");
}
