//! The Helm chart against the program: every rendered configuration is valid, every flag exists, and
//! the hook before a stop moves the viewers.

use std::path::Path;
use std::time::Duration;

use barrage_testkit::{RawSocket, chart, wait};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{BINARY, barrage, start, text_of};

/// Folders of a pod, each with its folder in the test.
const FOLDERS: [(&str, &str); 2] = [("/run/secrets/barrage", "secrets"), ("/etc/barrage", "config")];

/// Replaces a pod's folders in a text.
fn moved(text: &str, folder: &Path) -> String {
    FOLDERS
        .iter()
        .fold(text.to_owned(), |text, (pod, own)| text.replace(pod, &folder.join(own).display().to_string()))
}

/// Writes the files that a pod of the value set has: configuration, keys, certificates.
fn write_files(set: &Value, folder: &Path) {
    for (name, text) in set["files"].as_object().unwrap() {
        std::fs::write(folder.join("config").join(name), moved(text.as_str().unwrap(), folder)).unwrap();
    }
}

/// Makes every Secret that a value set of the chart refers to.
fn make_secrets(folder: &Path) {
    let secrets = folder.join("secrets");
    for name in ["token", "tls", "nats", "ca", "admin"] {
        std::fs::create_dir_all(secrets.join(name)).unwrap();
    }
    std::fs::create_dir(folder.join("config")).unwrap();
    barrage_testkit::certificates::make(&secrets);
    for (from, to) in [
        ("cert.pem", "tls/tls.crt"),
        ("key.pem", "tls/tls.key"),
        ("ca.pem", "nats/ca.crt"),
        ("cert.pem", "nats/tls.crt"),
        ("key.pem", "nats/tls.key"),
        ("ca.pem", "ca/ca.crt"),
    ] {
        std::fs::copy(secrets.join(from), secrets.join(to)).unwrap();
    }
    for key in ["token.key", "2027-02.key"] {
        std::fs::write(secrets.join("token").join(key), "0123456789abcdefghijklmnopqrstuvwxyzABCD").unwrap();
    }
    let openssl = |line: &str| {
        let made = std::process::Command::new("openssl").args(line.split(' ')).current_dir(&secrets).status();
        assert!(made.unwrap().success(), "openssl {line}");
    };
    openssl("genpkey -algorithm ed25519 -out backend.key");
    openssl("pkey -in backend.key -pubout -out token/backend.pem");
}

/// Every key, flag and variable that the templates use exists in the program.
#[tokio::test]
async fn each_process_of_the_chart_has_a_valid_configuration_and_known_flags() {
    let folder = tempfile::tempdir().unwrap();
    make_secrets(folder.path());
    let mut checked = 0;
    for set in chart::value_sets() {
        write_files(&set, folder.path());
        let mut seen = Vec::new();
        for process in set["processes"].as_array().unwrap() {
            let words: Vec<String> = serde_json::from_value(process["command"].clone()).unwrap();
            if words[0] != "/usr/local/bin/barrage" || seen.contains(&process["env"]) {
                continue;
            }
            seen.push(process["env"].clone());
            let context = format!("{} of {}", process["pod"], set["set"]);
            let mut check = Command::new(BINARY);
            check.args(["config", "check"]).env_clear();
            for (name, value) in process["env"].as_object().unwrap() {
                check.env(name, moved(value.as_str().unwrap(), folder.path()));
            }
            let output = check.current_dir(folder.path()).output().await.unwrap();
            assert!(output.status.success(), "{context}: {}", text_of(&output));
            let hook: Vec<String> = serde_json::from_value(process["hook"].clone()).unwrap();
            for words in [words, hook].iter().filter(|words| !words.is_empty()) {
                let with_help: Vec<&str> = words[1..].iter().map(String::as_str).chain(["--help"]).collect();
                let output = barrage(folder.path(), &with_help).await;
                assert!(output.status.success(), "{context}: {words:?}: {}", text_of(&output));
            }
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} processes");
}

/// The pod's environment fills in the URL by which clients reach the process.
#[tokio::test]
async fn placeholder_without_its_variable_ends_the_start_with_the_variables_name() {
    let folder = tempfile::tempdir().unwrap();
    let start = Command::new(BINARY)
        .args(["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .env("BARRAGE_GATEWAY__BASE_URLS", "[\"http://{node_ip}:14000\"]")
        .env_remove("NODE_IP")
        .current_dir(folder.path())
        .output();
    let output = wait::within(Duration::from_secs(30), "the end of the start", start).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    assert!(text_of(&output).contains("NODE_IP"), "{}", text_of(&output));
}

/// `barrage drain` is the hook before a pod's stop: it returns when the viewers have gone.
#[tokio::test]
async fn drain_moves_the_viewers_of_a_process_and_then_returns() {
    let server = start().await;
    let mut viewer = RawSocket::joined(server.public, "demo").await;
    let admin = format!("http://{}", server.admin);
    let data_dir = server.data_dir().display().to_string();
    let arguments = ["drain", "--admin", &admin, "--data-dir", &data_dir];
    let (output, _) = tokio::join!(barrage(server.data_dir(), &arguments), viewer.until_closed());
    assert!(output.status.success(), "{}", text_of(&output));
    assert!(text_of(&output).contains("drained"), "{}", text_of(&output));
}
