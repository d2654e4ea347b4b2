//! `config check` and `up` find the same mistakes, all at once; secrets are never shown.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use barrage_testkit::{Server, ServerOptions};
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
const SECRET: &str = "canary-7f3a";

async fn barrage(folder: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(BINARY).args(arguments).current_dir(folder).kill_on_drop(true).output();
    tokio::time::timeout(Duration::from_secs(60), command).await.expect("it does not end").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One mistake of each kind, and the key that must be named.
const MISTAKES: &str = r#"
admin_listen = "127.0.0.1:18080"
listen = ["127.0.0.1:18080"]
colour = 1

[http]
idle_secs = 0
tls_cert_file = "cert.pem"
trusted_proxies = ["0.0.0.0/0"]
allowed_origins = ["https://live.example/"]

[token]
audience = ""
[[token.keys]]
id = "weak"
algorithm = "hs256"
secret_file = "weak.key"
[[token.keys]]
id = "missing"
algorithm = "hs256"
secret_file = "missing.key"

[gateway]
window_ms = "50ms"

[uplink]
guest_secs = 315360000
post_bytes_max = 1099511627776
[uplink.limits]
user_per_s = 0
shadow = ["slow-mode"]

[[moderation.lists]]
name = "abuse"
file = "abuse.txt"
action = "mask"
[moderation.hook]
url = "https://hook.example/check"

[postgres]
url = "postgres://me@db/barrage?sslmode=require&sslpassword=canary-7f3a"

[entry]
region_file = "regions.csv"
"#;

#[tokio::test]
async fn config_check_and_up_name_every_mistake_of_every_kind_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weak.key"), "a".repeat(64)).unwrap();
    std::fs::write(folder.path().join("barrage.toml"), MISTAKES).unwrap();
    let checked = barrage(folder.path(), &["config", "check"]).await;
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(64), "{said}");
    for named in [
        "admin_listen = 127.0.0.1:18080",
        "colour: ",
        "http.idle_secs = 0: must be 1 to 3600",
        "http.tls_cert_file",
        "http.trusted_proxies = 0.0.0.0/0",
        "http.allowed_origins = \"https://live.example/\"",
        "token.audience",
        "token.keys.0: key weak: the secret has 1 different bytes",
        "head -c 32 /dev/urandom",
        "token.keys.1: key file",
        "gateway.window_ms: ",
        "uplink.guest_secs = 315360000",
        "uplink.post_bytes_max = 1099511627776",
        "uplink.limits.user_per_s = 0",
        "uplink.limits.shadow = \"slow-mode\"",
        "abuse",
        "hook.url",
        "entry.region_file",
        "postgres.url: the client has no parameter `sslpassword`",
    ] {
        assert!(said.contains(named), "{named} is not in\n{said}");
    }
    assert!(!said.contains(SECRET), "{said}");
    let up = barrage(folder.path(), &["up"]).await;
    assert_eq!((up.status.code(), text(&up.stderr)), (Some(64), said.clone()));
    assert!(!folder.path().join("barrage-data").exists(), "nothing is made before the check");
    let doctor = barrage(folder.path(), &["doctor"]).await;
    let found = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{found}");
    assert!(found.contains("BAD   configuration: token.keys.0"), "{found}");
}

#[tokio::test]
async fn a_file_is_found_beside_the_command_and_its_paths_start_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = folder.path().join("barrage.toml");
    std::fs::write(
        &file,
        "[[token.keys]]\nid = \"k\"\nalgorithm = \"hs256\"\nsecret_file = \"secret.key\"\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("secret.key"), "0123456789abcdef0123456789abcdef").unwrap();
    let mint = ["token", "--user", "ann", "--room", "demo"];
    let beside = barrage(folder.path(), &mint).await;
    assert!(beside.status.success(), "{}", text(&beside.stderr));
    let named = [&["--config", file.to_str().unwrap()], &mint[..]].concat();
    let named = barrage(elsewhere.path(), &named).await;
    assert!(named.status.success(), "{}", text(&named.stderr));
    let without = barrage(elsewhere.path(), &mint).await;
    assert_eq!(without.status.code(), Some(1), "there is neither a file nor a key");
}

#[tokio::test]
async fn help_offers_each_role_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    for (role, plays) in [("gateway", false), ("entry", false), ("archiver", false), ("uplink", true)] {
        let help = text(&barrage(folder.path(), &[role, "--help"]).await.stdout);
        assert_eq!(help.contains("--replay"), plays, "{help}");
    }
    let shown = barrage(folder.path(), &["config", "show", "--defaults"]).await;
    std::fs::write(folder.path().join("defaults.toml"), &shown.stdout).unwrap();
    let checked = barrage(folder.path(), &["--config", "defaults.toml", "config", "check"]).await;
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

/// Every field that may hold a secret.
fn secrets() -> String {
    format!(
        "[nats]\nurls = [\"nats://me:{SECRET}@127.0.0.1:1\", \"nats://{SECRET}@127.0.0.1:1\"]\n\
         monitor_urls = [\"http://me:{SECRET}@127.0.0.1:1\"]\nstart_deadline_ms = 0\nconnect_timeout_ms = 500\n\
         [redis]\nurl = \"redis://me:{SECRET}@127.0.0.1:1\"\n\
         [postgres]\nurl = \"postgres://me:{SECRET}@127.0.0.1:1/x?password={SECRET}\"\n\
         acquire_timeout_ms = 500\n\
         [moderation.hook]\nurl = \"http://me:{SECRET}@127.0.0.1:1/{SECRET}?key={SECRET}&{SECRET}\"\n"
    )
}

fn assert_hidden(output: &Output, of: &str) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(!text(&said).contains(SECRET), "{of} shows a secret: {}", text(&said));
}

#[tokio::test]
async fn no_command_and_no_log_line_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("barrage.toml");
    std::fs::write(&file, secrets()).unwrap();
    let shown = barrage(folder.path(), &["config", "show"]).await;
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("***"));
    assert_hidden(&shown, "config show");
    assert_hidden(&barrage(folder.path(), &["config", "check"]).await, "config check");
    assert_hidden(&barrage(folder.path(), &["doctor"]).await, "doctor");
    // Neither does a start that fails at each server, at the finest level of the log.
    let (all, listen) = (secrets(), "listen = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n");
    for part in ["[nats]", "[postgres]"] {
        let at = all.find(part).unwrap();
        let end = all[at + 1..].find("\n[").map_or(all.len(), |end| at + 1 + end);
        std::fs::write(&file, format!("{listen}[log]\nfilter = \"trace\"\n{}", &all[at..end])).unwrap();
        let failed = barrage(folder.path(), &["up"]).await;
        assert!(!failed.status.success());
        assert_hidden(&failed, part);
    }
}

/// Redis and the hook are away: a running process logs that, and goes on.
#[tokio::test]
async fn no_log_line_of_a_running_process_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("barrage.toml"), folder.path().join("log"));
    let all = secrets();
    let part = |name: &str| {
        let at = all.find(name).unwrap();
        let end = all[at + 1..].find("\n[").map_or(all.len(), |end| at + 1 + end);
        all[at..end].to_owned() + "\n"
    };
    std::fs::write(&file, part("[redis]") + &part("[moderation.hook]")).unwrap();
    let environment = [("BARRAGE_CONFIG", file.to_str().unwrap()), ("RUST_LOG", "trace")];
    let options = ServerOptions {
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        log: Some(log.clone()),
        ..ServerOptions::default()
    };
    let server = Server::start(BINARY, options).await;
    let token = server.token("u1", "demo", "viewer").await;
    let chat = r#"{"type":"chat","id":"c1","text":"hello"}"#;
    assert_eq!(server.post("/v1/rooms/demo/messages", &token, chat).await.status, 200);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("TRACE"), "the log has its finest level");
    assert!(!log.contains(SECRET), "a log line shows a secret");
}
