//! Runs the Autobahn test suite against the frames of `barrage-ws`, as a server and as a client, and compares the
//! result with the kept verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::run::{command, note, root, run, say};

/// Groups of cases. 12 and 13 test compression of frames, which `barrage-ws` does not offer.
const CASES: [&str; 9] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"];
/// File of the kept verdict, which a test reads.
const VERDICT: &str = "services/ws/tests/autobahn.json";
/// Variable with the Python 2 that has the package `autobahntestsuite`.
const PYTHON: &str = "AUTOBAHN_PYTHON";
/// Addresses of the two runs.
const SERVER: &str = "127.0.0.1:19001";
const FUZZING_SERVER: &str = "127.0.0.1:19002";
/// Longest wait for a listener.
const START_MAX: Duration = Duration::from_secs(20);

/// Runs both sides; fails when a case failed. Prints why where the suite is missing.
pub(crate) fn main(write: bool) -> anyhow::Result<()> {
    let Some(python) = std::env::var_os(PYTHON).map(PathBuf::from) else {
        note(&format!(
            "skipped: {PYTHON} names no Python 2 with `pip install autobahntestsuite==25.10.1`; {VERDICT} is the last result"
        ));
        return Ok(());
    };
    run(command(
        "cargo",
        &["build", "--quiet", "--locked", "--package", "barrage-ws", "--example", "autobahn"],
    ))?;
    let program = root().join("target/debug/examples/autobahn");
    let folder = root().join("target/autobahn");
    std::fs::create_dir_all(&folder)?;
    let server = as_server(&python, &program, &folder)?;
    let client = as_client(&python, &program, &folder)?;
    let verdict = json!({
        "suite": "autobahntestsuite 25.10.1 on Python 2.7",
        "command": "cargo xtask conformance --write",
        "cases": CASES,
        "server": server,
        "client": client,
    });
    if write {
        std::fs::write(root().join(VERDICT), format!("{verdict:#}\n"))?;
    }
    say(&verdict.to_string())?;
    let failed = [&server, &client].iter().any(|side| side["FAILED"].as_u64().unwrap_or(0) > 0);
    if failed { bail!("cases failed; the reports are in {}", folder.display()) } else { Ok(()) }
}

/// The suite calls the echo server.
fn as_server(python: &Path, program: &Path, folder: &Path) -> anyhow::Result<Value> {
    let _server = Running::start(Command::new(program).args(["serve", SERVER]), SERVER)?;
    let spec = json!({
        "outdir": folder.join("servers"),
        "servers": [{ "agent": "barrage", "url": format!("ws://{SERVER}") }],
        "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {},
    });
    run(suite(python, folder, "fuzzingclient", &spec)?)?;
    summary(&folder.join("servers/index.json"))
}

/// The echo client calls the suite.
fn as_client(python: &Path, program: &Path, folder: &Path) -> anyhow::Result<Value> {
    let spec = json!({
        "outdir": folder.join("clients"), "url": format!("ws://{FUZZING_SERVER}"),
        "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {},
    });
    let _suite = Running::start(&mut suite(python, folder, "fuzzingserver", &spec)?, FUZZING_SERVER)?;
    let mut client = Command::new(program);
    client.args(["call", FUZZING_SERVER]);
    run(client)?;
    summary(&folder.join("clients/index.json"))
}

fn suite(python: &Path, folder: &Path, mode: &str, spec: &Value) -> anyhow::Result<Command> {
    let file = folder.join(format!("{mode}.json"));
    std::fs::write(&file, spec.to_string())?;
    let mut command = Command::new(python);
    command.args(["-c", "from autobahntestsuite.wstest import run; run()", "-m", mode, "-s"]).arg(file);
    Ok(command)
}

/// Counts cases by result, and names those that are neither right nor informational.
fn summary(index: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(index).with_context(|| index.display().to_string())?;
    let report: Value = serde_json::from_str(&text)?;
    let cases = report["barrage"].as_object().context("the suite wrote no report for this agent")?;
    let mut counts: BTreeMap<&str, Value> = BTreeMap::new();
    let mut others = BTreeMap::new();
    let mut failed = 0_u64;
    for (case, result) in cases {
        let results =
            [&result["behavior"], &result["behaviorClose"]].map(|it| it.as_str().unwrap_or("MISSING"));
        let worst = match results.iter().find(|it| !["OK", "INFORMATIONAL", "NON-STRICT"].contains(it)) {
            Some(_) => "FAILED",
            None => results[0],
        };
        failed += u64::from(worst == "FAILED");
        let count = counts.entry(worst).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
        if worst != "OK" {
            others.insert(case, results.join(", close "));
        }
    }
    let mut value = json!({ "all": cases.len(), "FAILED": failed, "others": others });
    for (result, count) in counts {
        value[result] = count;
    }
    Ok(value)
}

/// A process that is ended with its owner.
struct Running(Child);

impl Running {
    fn start(command: &mut Command, address: &str) -> anyhow::Result<Running> {
        let running = Running(command.spawn().with_context(|| format!("{command:?} cannot be started"))?);
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            if began.elapsed() > START_MAX {
                bail!("nothing listens on {address}");
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
