//! The workspace's crates and the files of their `src` folders.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::{command, root, tracked_files};
use crate::source::{CrateTree, SourceFile};

/// A library or binary and its module tree.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) tree: CrateTree,
}

/// All crates of the workspace and their parsed sources.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) crates: Vec<Crate>,
    /// Files below `src` folders, tests beside the code included, by their path from the root.
    pub(crate) sources: BTreeMap<String, SourceFile>,
}

impl Workspace {
    pub(crate) fn read() -> anyhow::Result<Workspace> {
        let metadata =
            command("cargo", &["metadata", "--locked", "--no-deps", "--format-version", "1"]).output()?;
        if !metadata.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&metadata.stderr));
        }
        let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let mut crates = Vec::new();
        for package in metadata["packages"].as_array().context("cargo metadata lists no packages")? {
            for target in package["targets"].as_array().into_iter().flatten() {
                let kind = target["kind"][0].as_str().unwrap_or_default();
                if let (true, Some(path)) = (matches!(kind, "lib" | "bin"), target["src_path"].as_str()) {
                    let name = target["name"].as_str().unwrap_or_default();
                    let tree = CrateTree::read(Path::new(path), &read);
                    crates.push(Crate { name: format!("{name} ({kind})"), tree });
                }
            }
        }
        let mut sources = BTreeMap::new();
        for name in tracked_files()? {
            let is_source = name.ends_with(".rs") && format!("/{name}").contains("/src/");
            if let (true, Some(text)) = (is_source, read(&root().join(&name))) {
                sources.insert(name, SourceFile::parse(&text));
            }
        }
        Ok(Workspace { crates, sources })
    }
}
