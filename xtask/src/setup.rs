//! Programs that tests and lints run: which are missing, and how to install them.

mod hooks;
mod install;
mod need;
mod node;

use std::path::PathBuf;

use anyhow::bail;

use crate::run::{command, root, run, say};
use need::{NEEDS, Need};

pub(crate) use node::npm;

/// Installs what is missing, after printing each step. With `with_hooks`, adds the git hook as well.
pub(crate) fn main(with_hooks: Hooks) -> anyhow::Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| need.find().is_none()).collect();
    if missing.is_empty() {
        say("Nothing to install.")?;
    }
    for need in &missing {
        say(&format!("{}: missing; {}", need.name, need.source))?;
    }
    install::all(&missing)?;
    let still: Vec<_> = missing.iter().filter(|need| need.find().is_none()).map(|need| need.name).collect();
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(", "));
    }
    match with_hooks {
        Hooks::Install => hooks::install(),
        Hooks::Leave => Ok(()),
    }
}

/// Whether `cargo xtask setup` adds a git hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hooks {
    Install,
    Leave,
}

/// Prints each program with its place, or how to get it. Fails when one is missing.
pub(crate) fn doctor() -> anyhow::Result<()> {
    for need in NEEDS {
        match need.find() {
            Some(place) => say(&format!("ok       {:<14} {place}", need.name))?,
            None => say(&format!("missing  {:<14} {}; {}", need.name, need.purpose, need.source))?,
        }
    }
    check()
}

/// Fails when a program is missing, with the command that installs it.
pub(crate) fn check() -> anyhow::Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| need.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = missing.iter().map(|need| format!("  {}: {}", need.name, need.purpose)).collect();
    bail!(
        "these programs are missing:\n{}\n`cargo xtask setup` installs them; `cargo xtask doctor` says how",
        lines.join("\n")
    );
}

/// Compiles s3s-fs, which only the full tier starts: some two minutes of two processors.
pub(crate) fn compile_s3s_fs() -> anyhow::Result<()> {
    let home = root().join("target/tools/s3s-fs");
    if home.join("bin/s3s-fs").is_file() {
        return Ok(());
    }
    let home = home.display().to_string();
    let which = ["s3s-fs", "--version", "=0.14.1", "--features", "binary", "--locked", "--debug"];
    run(command("cargo", &[&["install", "--quiet", "--root", &home], &which[..]].concat()))
}

/// Returns the path of the nats-server that benches and tests start.
pub(crate) fn nats_server() -> anyhow::Result<PathBuf> {
    program("nats-server")
}

/// Returns a program that is on the path or among the tools of this checkout.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    match NEEDS.iter().find(|need| need.name == name).and_then(Need::path) {
        Some(path) => Ok(path),
        None => bail!("{name} is missing; `cargo xtask setup` installs it"),
    }
}
