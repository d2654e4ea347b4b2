//! Checks that `test = false` is in the manifest of exactly those libraries and programs that have no unit test: each
//! other one is compiled and linked a second time for its tests, and the tests of one with it would never run.

use std::path::Path;

use anyhow::bail;

use super::metadata::{Metadata, Package, Target};
use crate::source::{CrateTree, has_tests};

/// Fails with the list of all targets whose manifest says otherwise than their files.
pub(crate) fn check(metadata: &Metadata) -> anyhow::Result<()> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let wrong: Vec<_> = metadata
        .ours()
        .flat_map(|package| package.targets.iter().filter_map(|target| otherwise(package, target, &read)))
        .collect();
    if !wrong.is_empty() {
        bail!("change the manifest of these targets:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// Returns what is wrong with a target; `read` is the file system.
fn otherwise(package: &Package, target: &Target, read: &dyn Fn(&Path) -> Option<String>) -> Option<String> {
    let folder = target.root.parent()?;
    let tree = CrateTree::read(&target.root, read);
    let found = tree.files.iter().find(|file| read(&folder.join(file)).is_some_and(|text| has_tests(&text)));
    let name = format!("{} ({})", package.name, target.kind);
    match (found, target.is_tested) {
        (Some(file), false) => {
            Some(format!("{name} has `test = false`: the tests of {} would never run", file.display()))
        }
        (None, true) => Some(format!("{name} has no unit test: set `test = false` in its manifest")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_tested: bool, files: &[(&str, &str)]) -> Option<String> {
        let target = Target { kind: "bin".into(), root: "src/main.rs".into(), is_tested };
        let package = Package {
            name: "barrage-bench".into(),
            version: "1.0.0".into(),
            rust_version: None,
            is_ours: true,
            manifest: "Cargo.toml".into(),
            dependencies: Vec::new(),
            targets: Vec::new(),
        };
        let read = |path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        otherwise(&package, &target, &read)
    }

    #[test]
    fn test_of_a_target_that_is_not_tested_is_named() {
        let files =
            [("src/main.rs", "mod a;"), ("src/a.rs", "mod b;"), ("src/a/b.rs", "#[test]\nfn works() {}")];
        let said = said(false, &files).unwrap();
        assert_eq!(said, "barrage-bench (bin) has `test = false`: the tests of a/b.rs would never run");
    }

    #[test]
    fn target_without_tests_is_not_compiled_for_them() {
        // A file of the library beside the program, which is no module of the program.
        let files = [("src/main.rs", "fn main() {}"), ("src/lib.rs", "#[cfg(test)]\nmod tests {}")];
        let said = said(true, &files).unwrap();
        assert_eq!(said, "barrage-bench (bin) has no unit test: set `test = false` in its manifest");
    }

    #[test]
    fn manifest_that_agrees_with_the_files_is_accepted() {
        assert_eq!(said(false, &[("src/main.rs", "fn main() {}")]), None);
        assert_eq!(said(true, &[("src/main.rs", "#[cfg(test)]\nmod tests;")]), None);
    }
}
