//! Tests of the documentation: the commands, configurations and programs of its pages work.
//!
//! Each block that opens with "```sh" runs, all in one shell, in the order of the page, with the
//! binaries under test and on free ports. A block that cannot run opens with
//! "```sh no-run REASON", and the test prints the reason.

mod commands;
mod protocol;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use barrage_testkit::{process, programs};

use crate::support::BINARY;

/// A fenced block of a page.
pub(crate) struct Block {
    /// Line of the opening fence.
    pub(crate) line: usize,
    /// Text after the opening fence: the language and further words.
    pub(crate) info: String,
    pub(crate) text: String,
}

/// Reads a page of the repository.
pub(crate) fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let text = body.map(|line| format!("{line}\n")).collect();
        blocks.push(Block { line: number + 1, info: info.to_owned(), text });
    }
    blocks
}

/// Returns the text of the one block with this text after the opening fence.
pub(crate) fn block(page: &str, info: &str) -> String {
    let mut found = blocks(page).into_iter().filter(|block| block.info == info);
    let text = found.next().unwrap_or_else(|| panic!("no block opens with ```{info}")).text;
    assert!(found.next().is_none(), "several blocks open with ```{info}");
    text
}

/// Replacement for `barrage`: a server runs beside the page until the next server starts, as if the
/// reader had pressed Ctrl-C.
const BARRAGE: &str = r#"#!/usr/bin/env bash
stop() {
  [ -f server.pid ] || return 0
  pid=$(cat server.pid); rm server.pid; kill -INT "$pid" 2>/dev/null
  for _ in $(seq 1200); do
    case "$(ps -o stat= -p "$pid" 2>/dev/null)" in ''|Z*) return 0;; esac
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null; echo "the server did not stop" >&2; exit 1
}
[ "$1" = stop-the-server ] && { stop; exit; }
server=no
for word in "$@"; do
  case "$word" in
    up) server=yes; break;;
    token|why|switch|probe|config|doctor|bus) break;;
  esac
done
[ $server = no ] && exec "$REAL_BARRAGE" "$@"
stop
# Shortened: a fleet of one gateway and one uplink.
words=(); fleet=no
while [ $# -gt 0 ]; do
  case "$1" in
    --gateways|--uplinks) fleet=yes; shift 2;;
    --cluster|--autoscale) fleet=yes; words+=("$1"); shift;;
    *) words+=("$1"); shift;;
  esac
done
[ $fleet = yes ] && words+=(--gateways 1 --uplinks 1)
set -- "${words[@]}"
rm -f server.out
"$REAL_BARRAGE" "$@" > server.out 2> server.log < /dev/null &
echo $! > server.pid
for _ in $(seq 2400); do
  grep -q 'stop  *Ctrl-C' server.out && { cat server.out; exit 0; }
  kill -0 "$(cat server.pid)" 2>/dev/null || break
  sleep 0.05
done
echo "the server did not come up: $*" >&2; cat server.out server.log >&2; exit 1
"#;

/// Replacement for `cargo run --release [-q] [-p PACKAGE] -- ARGUMENTS`.
const CARGO: &str = r#"#!/usr/bin/env bash
program=barrage
while [ $# -gt 0 ]; do
  case "$1" in
    run|--release|-q) shift;;
    -p) program=$2; shift 2;;
    --) shift; break;;
    *) echo "cargo $1: not one of the page's commands" >&2; exit 64;;
  esac
done
exec "$program" "$@"
"#;

/// Replacement for `curl`: an error status fails, and an endless stream is read for two seconds.
const CURL: &str = r#"#!/usr/bin/env bash
for word in "$@"; do
  if [ "$word" = -N ]; then
    timeout 2 "$REAL_CURL" -sS "$@"; code=$?
    [ $code = 124 ] && exit 0
    exit $code
  fi
done
"$REAL_CURL" -sS --fail-with-body "$@"; code=$?; echo; exit $code
"#;

/// Replacement for `barrage-loadtest`, with the smallest scenario and few viewers. The verdict does
/// not count on a machine that runs tests; the command must be valid and write a report.
const LOADTEST: &str = r#"#!/usr/bin/env bash
[ -x "$REAL_LOADTEST" ] || { echo "skipped: barrage-loadtest is not built"; exit 0; }
[ "$1" = run ] && { shift 2; set -- run smoke "$@"; }
words=()
while [ $# -gt 0 ]; do
  case "$1" in --viewers) shift 2;; *) words+=("$1"); shift;; esac
done
case " ${words[*]} " in *" --target "*) ;; *) words+=(--target "http://127.0.0.1:$PUBLIC_PORT");; esac
"$REAL_LOADTEST" "${words[@]}" --viewers 20 --json loadtest.json; code=$?
# A run that could not begin has no report.
[ $code -le 2 ] && [ -s loadtest.json ]
"#;

/// A temporary folder with the programs that a page names.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    ports: [u16; 2],
}

impl Machine {
    pub(crate) fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for (name, text) in
            [("barrage", BARRAGE), ("cargo", CARGO), ("curl", CURL), ("barrage-loadtest", LOADTEST)]
        {
            let path = bin.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let ports = [(); 2].map(|()| process::free_address().port());
        Machine { folder, ports }
    }

    /// Folder that the commands run in.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs all blocks of a page. Panics with the output when a command fails.
    pub(crate) async fn run(&self, name: &str, page: &str) {
        let mut script = String::from("set -euo pipefail\ntrap 'barrage stop-the-server' EXIT\n");
        for block in blocks(page).iter().filter(|block| block.info.split(' ').next() == Some("sh")) {
            if let Some(reason) = block.info.strip_prefix("sh no-run") {
                assert!(reason.trim().len() > 10, "{name}:{}: no-run needs a reason", block.line);
                eprintln!("{name}:{} is not run:{reason}", block.line);
                continue;
            }
            assert_eq!(block.info, "sh", "{name}:{}", block.line);
            writeln!(script, "echo '--- {name}:{}'\n{}", block.line, self.at_own_ports(&block.text)).unwrap();
        }
        let path = format!("{}:{}", self.folder.path().join("bin").display(), programs::path_with_nats());
        let [public, admin] = self.ports;
        let beside = Path::new(BINARY).with_file_name("barrage-loadtest");
        let child = tokio::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.work())
            .env("PATH", path)
            .env("REAL_BARRAGE", BINARY)
            .env("REAL_CURL", which("curl"))
            .env("REAL_LOADTEST", beside)
            .env("PUBLIC_PORT", public.to_string())
            .env("BARRAGE_LISTEN", format!("[\"127.0.0.1:{public}\"]"))
            .env("BARRAGE_ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(400), child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("{name}: the commands do not end")).unwrap();
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        let log = std::fs::read_to_string(self.work().join("server.log")).unwrap_or_default();
        assert!(output.status.success(), "{name} does not run:\n{said}\n--- log\n{log}");
    }

    fn at_own_ports(&self, text: &str) -> String {
        let [public, admin] = self.ports;
        text.replace(":8080", &format!(":{public}")).replace(":8081", &format!(":{admin}"))
    }
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("these tests need {program} on PATH"))
}
