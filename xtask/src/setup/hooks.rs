//! A git hook that runs the format check and the lints before a push.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::run::{command, root, say};

/// First lines of the hook, by which a later setup recognises it.
const HOOK: &str = "#!/bin/sh\n# Written by `cargo xtask setup --hooks`.\nexec cargo xtask lint\n";

/// Writes the `pre-push` hook; another hook at its place is not replaced.
pub(super) fn install() -> anyhow::Result<()> {
    let output = command("git", &["rev-parse", "--git-path", "hooks"]).output()?;
    let folder = root().join(PathBuf::from(String::from_utf8(output.stdout)?.trim()));
    let file = folder.join("pre-push");
    if std::fs::read_to_string(&file).is_ok_and(|text| text != HOOK) {
        bail!("{} exists; add `cargo xtask lint` to it yourself", file.display());
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::write(&file, HOOK).with_context(|| format!("{} cannot be written", file.display()))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    say(&format!("{} runs `cargo xtask lint` before each push", file.display()))
}
