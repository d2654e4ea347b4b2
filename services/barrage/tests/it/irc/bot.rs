//! A bot in a process of its own, made with a library of others.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use barrage_testkit::wait;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longest wait for an event of a bot. A loaded machine starts Node.js and Python slowly.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// Library that a bot uses, unmodified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    Tmi,
    Twurple,
    Framework,
    Python,
}

impl Library {
    pub(super) const ALL: [Library; 4] =
        [Library::Tmi, Library::Twurple, Library::Framework, Library::Python];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Library::Tmi => "tmi",
            Library::Twurple => "twurple",
            Library::Framework => "framework",
            Library::Python => "python",
        }
    }

    fn command(self) -> Command {
        let tests = root().join("services/irc/tests");
        if self == Library::Python {
            let packages = root().join("target/tools/irc");
            assert!(packages.is_dir(), "the package irc of PyPI is missing; run `cargo xtask setup`");
            let mut command = Command::new("python3");
            command.arg(tests.join("py/bot.py")).env("PYTHONPATH", packages);
            return command;
        }
        assert!(
            tests.join("js/node_modules").is_dir(),
            "the npm packages are missing; run `cargo xtask setup`"
        );
        let mut command = Command::new("node");
        command.arg(tests.join("js").join(format!("{}.mjs", self.name())));
        command
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A running bot, which is killed when the value is dropped.
pub(super) struct Bot {
    pub(super) library: Library,
    _child: Child,
    stdin: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    /// Events that no call has asked for yet.
    waiting: VecDeque<Value>,
}

impl Bot {
    /// Starts a bot in a channel; with an empty token it reads only.
    pub(super) fn start(library: Library, irc: SocketAddr, channel: &str, token: &str) -> Bot {
        let mut child = library
            .command()
            .args([irc.ip().to_string(), irc.port().to_string(), channel.to_owned(), token.to_owned()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Bot {
            library,
            _child: child,
            stdin,
            events: BufReader::new(stdout).lines(),
            waiting: VecDeque::new(),
        }
    }

    /// Returns the first event of a kind that fulfils a condition; the others wait for later calls.
    pub(super) async fn event(&mut self, kind: &str, condition: impl Fn(&Value) -> bool) -> Value {
        self.first(kind, |event| event["event"] == kind && condition(event)).await
    }

    async fn first(&mut self, expected: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_it) {
            return self.waiting.remove(at).unwrap();
        }
        let reading = async {
            loop {
                let line = self.events.next_line().await.unwrap().expect("the bot ended");
                let event = serde_json::from_str(&line).unwrap();
                if is_it(&event) {
                    return event;
                }
                self.waiting.push_back(event);
            }
        };
        let found = tokio::time::timeout(EVENT_MAX, reading).await;
        found.unwrap_or_else(|_| panic!("{}: no {expected}, but {:#?}", self.library.name(), self.waiting))
    }

    /// Waits until the bot is in its channel.
    pub(super) async fn joined(&mut self) {
        self.event("joined", |_| true).await;
    }

    /// Waits for a message with this text, and returns the event.
    pub(super) async fn hears(&mut self, text: &str) -> Value {
        self.event("message", |event| event["text"] == text).await
    }

    /// Gives a command to the bot and waits until the library says that it was carried out.
    pub(super) async fn does(&mut self, command: &str, mut fields: Value) {
        fields["command"] = json!(command);
        let line = format!("{fields}\n");
        wait::within(EVENT_MAX, "a bot that reads", self.stdin.write_all(line.as_bytes())).await.unwrap();
        let is_answer = |event: &Value| {
            event["command"] == command && (event["event"] == "done" || event["event"] == "failed")
        };
        let answer = self.first("answer", is_answer).await;
        assert_eq!(answer["event"], "done", "{}: {command}: {answer}", self.library.name());
    }
}
