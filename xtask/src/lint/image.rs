//! The image's Dockerfile: hadolint's rules, and the compiler and version of the workspace.

use anyhow::{Context, bail};

use crate::run::{command, root, run};
use crate::setup;

/// Fails when hadolint has a finding, or when a version of the Dockerfile is not the workspace's.
pub(super) fn check() -> anyhow::Result<()> {
    let read = |file: &str| {
        std::fs::read_to_string(root().join(file)).with_context(|| format!("{file} cannot be read"))
    };
    let dockerfile = read("Dockerfile")?;
    if let Some(wrong) = other_version(&dockerfile, &read("rust-toolchain.toml")?, &read("Cargo.toml")?) {
        bail!("Dockerfile: {wrong}");
    }
    run(command(&setup::program("hadolint")?.to_string_lossy(), &["Dockerfile"]))
}

/// Returns what is wrong with the versions of a Dockerfile; `None` when they are the workspace's.
fn other_version(dockerfile: &str, toolchain: &str, manifest: &str) -> Option<String> {
    let compiler = format!("ARG BUILDER=docker.io/library/rust:{}-slim-", quoted(toolchain, "channel = ")?);
    let version = format!("ARG VERSION={}", quoted(manifest, "version = ")?);
    let has = |start: &str| dockerfile.lines().any(|line| line.starts_with(start));
    [compiler, version]
        .into_iter()
        .find(|start| !has(start))
        .map(|start| format!("no line begins with `{start}`"))
}

/// Returns the quoted value of the first line that begins with `key`.
fn quoted<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerfile_with_another_compiler_or_version_is_refused() {
        let (toolchain, manifest) = ("channel = \"1.95.0\"\n", "[workspace.package]\nversion = \"0.2.0\"\n");
        let good = "ARG BUILDER=docker.io/library/rust:1.95.0-slim-bookworm\nARG VERSION=0.2.0\n";
        assert_eq!(other_version(good, toolchain, manifest), None);
        for (from, to) in [("1.95.0", "1.94.0"), ("0.2.0", "0.1.0")] {
            let wrong = other_version(&good.replace(from, to), toolchain, manifest).unwrap();
            assert!(wrong.contains(from), "{wrong}");
        }
    }
}
