//! Checks that no tracked file refers to a path outside the repository: the tests must pass in a clone
//! with nothing beside it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;

use crate::run::{root, tracked_files};

/// Prefixes of absolute paths that exist on one machine only.
const HOMES: [&str; 3] = ["/home/", "/Users/", "/root/"];
/// Files without paths of this project: lists of dependencies, built pages.
const SKIPPED: [&str; 3] = ["Cargo.lock", "package-lock.json", "web/dist/"];
/// Folders that exist only after a build.
const BUILT: [&str; 2] = ["target", "node_modules"];
/// First parts of `../PART` in hostile input that tests send.
const HOSTILE: [&str; 2] = ["x", "etc"];
/// This file, whose tests contain such paths.
const THIS: &str = "xtask/src/lint/paths.rs";

/// Fails with the list of all such paths in tracked files.
pub(crate) fn check() -> anyhow::Result<()> {
    let names = tracked_files()?;
    let tracked = Tracked::new(names.iter().map(String::as_str));
    let around = root().parent().and_then(Path::to_str).unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for name in &tracked.files {
        if *name == THIS || SKIPPED.iter().any(|part| name.contains(part)) {
            continue;
        }
        // A picture has no text to check; a deleted file may still be listed.
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        for (n, line) in text.lines().enumerate() {
            found
                .extend(tracked.outside(name, line, &around).map(|path| format!("{name}:{}: {path}", n + 1)));
        }
    }
    if !found.is_empty() {
        bail!(
            "these paths lead out of the repository; generate the file (`cargo xtask gen recordings DIR`), or take \
             its folder from an environment variable:\n  {}",
            found.join("\n  ")
        );
    }
    Ok(())
}

/// Files that git tracks, and the folders that contain them.
struct Tracked<'a> {
    files: Vec<&'a str>,
    /// Files, folders, and files without extension, as imports name them.
    known: BTreeSet<&'a str>,
}

impl<'a> Tracked<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let files: Vec<_> = names.collect();
        let mut known = BTreeSet::new();
        for name in &files {
            known.insert(*name);
            known.extend(name.rsplit_once('.').map(|(stem, _)| stem));
            let mut folder = *name;
            while let Some((parent, _)) = folder.rsplit_once('/') {
                known.insert(parent);
                folder = parent;
            }
        }
        Tracked { files, known }
    }

    /// Returns the paths of a line that lead outside. `file` is relative to the root; `around` is the
    /// folder that contains the repository.
    fn outside<'l>(&self, file: &str, line: &'l str, around: &str) -> impl Iterator<Item = &'l str> {
        let words = line.split(|c: char| c.is_whitespace() || "\"'`()<>[]{},;|=*#".contains(c));
        words.filter(move |word| is_of_one_machine(word, around) || self.leads_out(file, word))
    }

    /// Reports whether a relative path goes up and leads to no known file from any folder around its
    /// file: code names files from its own folder, from its crate's or from the root.
    fn leads_out(&self, file: &str, word: &str) -> bool {
        // A URL is no path of this machine.
        if word.contains("://") || !word.split('/').any(|part| part == "..") {
            return false;
        }
        let word = word.trim_end_matches(['.', ':']);
        let head = word.split('/').find(|part| !matches!(*part, ".." | "." | "")).unwrap_or_default();
        if HOSTILE.contains(&head) {
            return false;
        }
        let folders: Vec<&str> = file.split('/').collect();
        (0..folders.len()).all(|depth| !self.is_there(&folders[..depth], word))
    }

    /// Reports whether a path from a folder stays in the repository and begins with a known name.
    fn is_there(&self, folder: &[&str], word: &str) -> bool {
        let mut at = folder.to_vec();
        for part in word.split('/') {
            match part {
                "" | "." => {}
                ".." if at.pop().is_none() => return false,
                ".." => {}
                part => {
                    at.push(part);
                    // A test may create the rest.
                    return BUILT.contains(&part) || self.known.contains(at.join("/").as_str());
                }
            }
        }
        true
    }
}

fn is_of_one_machine(word: &str, around: &str) -> bool {
    let beside = around.len() > 1 && word.strip_prefix(around).is_some_and(|rest| rest.starts_with('/'));
    beside || word.starts_with("~/") || HOMES.iter().any(|home| word.starts_with(home))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 7] = [
        "README.md",
        "docs/protocol.md",
        "services/barrage/Cargo.toml",
        "services/barrage/tests/recording.rs",
        "services/store/migrations/0001.sql",
        "services/store/src/migrations.rs",
        "web/src/wire.ts",
    ];

    fn outside(file: &str, line: &str) -> Vec<String> {
        let tracked = Tracked::new(FILES.into_iter());
        tracked.outside(file, line, "/srv/clones").map(str::to_owned).collect()
    }

    #[test]
    fn paths_to_siblings_of_the_repository_are_refused() {
        let test = "services/barrage/tests/recording.rs";
        let line = r#"Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/burst.xml")"#;
        assert_eq!(outside(test, line), ["../../../shared/data/burst.xml"]);
        assert_eq!(outside(test, r#"File::open("../shared/x.xml")"#), ["../shared/x.xml"]);
        assert_eq!(outside("README.md", "see ../shared/README.md."), ["../shared/README.md."]);
        assert_eq!(outside("docs/protocol.md", "[x](../../README.md)"), ["../../README.md"]);
    }

    #[test]
    fn absolute_paths_of_one_machine_are_refused() {
        assert_eq!(outside("README.md", "cd /home/me/barrage && ls"), ["/home/me/barrage"]);
        assert_eq!(outside("README.md", "`~/barrage/data`"), ["~/barrage/data"]);
        assert_eq!(outside("README.md", "/srv/clones/other/x"), ["/srv/clones/other/x"]);
        assert_eq!(outside("README.md", "/srv/clones-of-others and /etc/barrage.toml"), [""; 0]);
    }

    #[test]
    fn tracked_files_refer_to_no_path_outside() {
        check().unwrap();
    }

    #[test]
    fn relative_paths_inside_the_repository_are_allowed() {
        for (file, line) in [
            ("services/store/src/migrations.rs", r#"include_str!("../migrations/0001.sql")"#),
            ("services/barrage/tests/recording.rs", r#"root.join("../../README.md")"#),
            ("services/barrage/tests/recording.rs", r#"root.join("../../target/tools/nats")"#),
            ("docs/protocol.md", "[the README](../README.md#start) and POST .../{room}/mute"),
            ("web/src/wire.ts", "import { x } from '../src/wire'"),
            ("services/barrage/tests/recording.rs", r#"("a path as id", "../x"), "../../etc/passwd""#),
            ("docs/protocol.md", "https://example.org/a/../shared/b"),
        ] {
            assert_eq!(outside(file, line), [""; 0], "{file}: {line}");
        }
    }
}
