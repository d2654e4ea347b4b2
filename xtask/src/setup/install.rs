//! Installs programs, each kind in one step.

use anyhow::bail;

use super::need::{Need, Source};
use super::node;
use crate::run::{command, on_path, run};

/// Bytecode is compiled at the first import of a module: most modules are never imported.
const PIP: [&str; 3] = ["install", "--quiet", "--no-compile"];

/// Installs programs in the order in which they need each other.
pub(super) fn all(missing: &[&Need]) -> anyhow::Result<()> {
    let debian = missing.iter().filter_map(|need| match need.source {
        Source::Debian(package) => Some(package),
        _ => None,
    });
    debian_packages(&debian.collect::<Vec<_>>())?;
    for need in missing {
        match need.source {
            Source::Debian(_) => {}
            Source::Pypi(package) | Source::PypiModule(package, _) => {
                let home = need.home().display().to_string();
                run(command("pip3", &[&PIP[..], &["--target", &home, package]].concat()))?;
            }
            Source::PypiImports(packages) => {
                let home = need.home().display().to_string();
                run(command("pip3", &[&PIP[..], &["--target", &home], packages].concat()))?;
            }
            Source::Npm(package) => {
                let home = need.home().display().to_string();
                let options = ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", &home, package];
                run(command("npm", &options))?;
            }
            Source::Node => node::install()?,
            Source::NpmFolder(folder) => run(node::npm_in(folder, &["ci", "--no-audit", "--no-fund"])?)?,
            Source::Rustup(component) => run(command("rustup", &["component", "add", component]))?,
        }
    }
    Ok(())
}

fn debian_packages(packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if on_path("apt-get").is_none() {
        bail!("this machine has no apt-get; install with its package manager: {}", packages.join(", "));
    }
    let as_root = |arguments: &[&str]| {
        if on_path("sudo").is_some() && std::env::var("USER").is_ok_and(|user| user != "root") {
            command("sudo", &[&["apt-get"], arguments].concat())
        } else {
            command("apt-get", arguments)
        }
    };
    run(as_root(&["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    let mut apt = as_root(&[&install, packages].concat());
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    run(apt)
}
