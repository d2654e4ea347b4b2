//! What the tests need of the machine, installed on Debian when it is missing.

use anyhow::bail;

use crate::run::{command, is_there, note, run};

/// Programs that tests run, and the Debian package of each.
const PROGRAMS: [(&str, &str); 3] = [("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")];

/// Installs what is missing; says what to do where it cannot.
pub(crate) fn programs() -> anyhow::Result<()> {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
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
