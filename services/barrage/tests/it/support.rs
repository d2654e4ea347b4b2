//! Server starts and posts that several tests share.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::{Server, ServerOptions, wait};
use serde_json::json;
use tokio::process::Command;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
/// Path that posts to the room `demo` go to.
pub(crate) const MESSAGES: &str = "/v1/rooms/demo/messages";

/// Starts a server with the default settings.
pub(crate) async fn start() -> Server {
    Server::start(BINARY, ServerOptions::default()).await
}

/// Starts a server with settings by environment variables, named without the prefix `BARRAGE_`.
pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Server {
    let environment = settings.iter().map(|(name, value)| (format!("BARRAGE_{name}"), (*value).to_owned()));
    Server::start(BINARY, ServerOptions { environment: environment.collect(), ..ServerOptions::default() })
        .await
}

/// Returns the post of a chat message.
pub(crate) fn chat(id: &str, text: &str) -> String {
    json!({ "type": "chat", "id": id, "text": text }).to_string()
}

/// Returns the post of a gift without a price.
pub(crate) fn gift(id: &str) -> String {
    json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1 } }).to_string()
}

/// Returns the post of a gift with a price.
pub(crate) fn paid_gift(id: &str) -> String {
    json!({ "type": "gift", "id": id, "gift": { "name": "rose", "count": 1, "price_minor": 100 } })
        .to_string()
}

/// Runs `barrage` with arguments in a folder.
pub(crate) async fn barrage(folder: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(BINARY).args(arguments).current_dir(folder).kill_on_drop(true).output();
    wait::within(Duration::from_secs(60), "the end of the command", command).await.unwrap()
}

/// Standard output and standard error of a command.
pub(crate) fn text_of(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Starts `barrage probe --serve` against a server, with further settings.
pub(crate) async fn start_probe(server: &Server, folder: &Path, settings: &[(&str, &str)]) -> Process {
    let address = free_address();
    let words = ["probe", "--serve", "--admin-listen", &address.to_string(), "--data-dir"];
    let mut command = vec![BINARY.to_owned()];
    command.extend(words.map(str::to_owned));
    command.push(server.data_dir().display().to_string());
    let url = format!("http://{}", server.public);
    let all = [&[("PROBE__ENTRY_URL", url.as_str())], settings].concat();
    let environment = all.iter().map(|(name, value)| (format!("BARRAGE_{name}"), (*value).to_owned()));
    let environment = environment.collect();
    Process::start(Recipe { name: "probe".into(), command, environment, folder: folder.to_owned(), address })
        .await
}
