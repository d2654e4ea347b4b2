//! `config check` and `up` report the same mistakes, all at once, and no output contains a secret.

use std::process::Output;

use barrage_testkit::{Server, ServerOptions};

use crate::support::{BINARY, MESSAGES, barrage, chat, text_of};

/// Text that no output may contain.
const SECRET: &str = "canary-7f3a";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Configuration with one mistake of each kind.
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
url = "ftp://hook.example/check"

[media]
listen = ["127.0.0.1:18082"]
hook = "pictures"

[postgres]
url = "postgres://me@db/barrage?sslmode=require&sslpassword=canary-7f3a"

[entry]
region_file = "regions.csv"
"#;

#[tokio::test]
async fn config_check_and_up_report_every_mistake_with_its_key_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weak.key"), "a".repeat(64)).unwrap();
    std::fs::write(folder.path().join("barrage.toml"), MISTAKES).unwrap();
    let checked = barrage(folder.path(), &["config", "check"]).await;
    let errors = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(64), "{errors}");
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
        "media.hook: the service needs absolute addresses of media; set media.base_url",
        "entry.region_file",
        "postgres.url: the client has no parameter `sslpassword`",
    ] {
        assert!(errors.contains(named), "{named} is not in\n{errors}");
    }
    assert!(!errors.contains(SECRET), "{errors}");
    let up = barrage(folder.path(), &["up"]).await;
    assert_eq!((up.status.code(), text(&up.stderr)), (Some(64), errors.clone()));
    assert!(
        !folder.path().join("barrage-data").exists(),
        "the data directory must not be created before the check"
    );
    let doctor = barrage(folder.path(), &["doctor"]).await;
    let found = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{found}");
    assert!(found.contains("BAD   configuration: token.keys.0"), "{found}");
}

#[tokio::test]
async fn file_in_the_working_directory_is_read_and_its_paths_start_at_the_file() {
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
    assert_eq!(without.status.code(), Some(1), "without a file and a key the command fails");
}

#[tokio::test]
async fn help_of_each_role_has_its_own_arguments() {
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

/// Returns a configuration with a secret in every field that may contain one.
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

/// Asserts that the output of a command contains no secret.
fn assert_hidden(output: &Output, of: &str) {
    let text = text_of(output);
    assert!(!text.contains(SECRET), "{of} shows a secret: {text}");
}

#[tokio::test]
async fn outputs_of_commands_and_failed_starts_contain_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("barrage.toml");
    std::fs::write(&file, secrets()).unwrap();
    let shown = barrage(folder.path(), &["config", "show"]).await;
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("***"));
    assert_hidden(&shown, "config show");
    assert_hidden(&barrage(folder.path(), &["config", "check"]).await, "config check");
    assert_hidden(&barrage(folder.path(), &["doctor"]).await, "doctor");
    // A start that fails at a server logs no secret, even at the level trace.
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

/// Redis and the hook do not answer, so that the running process logs their addresses.
#[tokio::test]
async fn log_of_a_running_process_contains_no_secret() {
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
    assert_eq!(server.post(MESSAGES, &token, chat("c1", "hello")).await.status, 200);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("TRACE"), "the log must have the level trace");
    assert!(!log.contains(SECRET), "a log line shows a secret");
}

#[tokio::test]
async fn config_check_exits_with_64_and_the_key_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    for (config, key) in [
        ("[gateway]\nwindow_seconds = 1\n", "window_seconds"),
        ("[gateway]\nwindow_ms = \"50ms\"\n", "window_ms"),
        ("[gateway]\nwindow_ms = 0\ndeflate_effort = 77\n", "deflate_effort"),
        ("colour = 1\n", "colour"),
    ] {
        std::fs::write(folder.path().join("barrage.toml"), config).unwrap();
        let output = barrage(folder.path(), &["config", "check", "--config", "barrage.toml"]).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{config}: {errors}");
        assert!(errors.contains(key), "{config}: {errors}");
    }
}
