//! The tables of ARCHITECTURE.md that say what the parts of a crate hold, and which other parts they import.
//!
//! The contents are written by hand. Levels and imports come from the code: `cargo xtask gen` writes them, and
//! the lint compares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, bail};

use crate::run::root;
use crate::source::CrateTree;

const FILE: &str = "ARCHITECTURE.md";
/// Crates with a table, which begins after a line with the crate's folder.
const CRATES: [&str; 2] = ["services/gateway", "services/uplink"];
const HEAD: &str = "| level | part | contents | imports |\n| --- | --- | --- | --- |\n";

/// Top-level modules of a crate, each with those that it imports.
type Parts = BTreeMap<String, BTreeSet<String>>;

/// Fails when a table differs from the code.
pub(crate) fn check() -> anyhow::Result<()> {
    let text = read()?;
    if updated(&text)? != text {
        bail!("the tables of imports in {FILE} differ from the code: run `cargo xtask gen imports`");
    }
    Ok(())
}

/// Writes levels and imports into the tables. A new part gets an empty place for its contents.
pub(crate) fn write() -> anyhow::Result<()> {
    let text = read()?;
    std::fs::write(root().join(FILE), updated(&text)?).with_context(|| format!("{FILE} cannot be written"))
}

fn read() -> anyhow::Result<String> {
    std::fs::read_to_string(root().join(FILE)).with_context(|| format!("{FILE} cannot be read"))
}

fn updated(text: &str) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for name in CRATES {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let tree = CrateTree::read(&root().join(name).join("src/lib.rs"), &read);
        let marker = format!("<!-- imports of {name} -->\n\n");
        let start =
            text.find(&marker).with_context(|| format!("{FILE} has no line {marker:?}"))? + marker.len();
        let end = text[start..].find("\n\n").map_or(text.len(), |at| start + at + 1);
        let table = table(&parts(&tree), &text[start..end]).with_context(|| format!("imports of {name}"))?;
        text.replace_range(start..end, &table);
    }
    Ok(text)
}

fn parts(tree: &CrateTree) -> Parts {
    let part = |file: &usize| {
        let first = tree.files[*file].iter().next().unwrap_or_default();
        Path::new(first).with_extension("").to_string_lossy().into_owned()
    };
    let mut parts: Parts = (0..tree.files.len()).map(|file| (part(&file), BTreeSet::new())).collect();
    for edge in &tree.edges {
        let (from, to) = (part(&edge.from), part(&edge.to));
        if from != to && to != "lib" {
            parts.entry(from).or_default().insert(to);
        }
    }
    parts.remove("lib");
    parts
}

/// Writes a table, highest level first. The contents are taken from the old table.
fn table(parts: &Parts, old: &str) -> anyhow::Result<String> {
    let contents: BTreeMap<&str, &str> = old
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(2);
            Some((cells.next()?.trim_matches('`'), cells.next()?))
        })
        .collect();
    let levels = levels(parts)?;
    let mut rows: Vec<_> = parts.keys().map(|part| (levels[part.as_str()], part.as_str())).collect();
    rows.sort_by(|(a, a_name), (b, b_name)| b.cmp(a).then(a_name.cmp(b_name)));
    let mut table = HEAD.to_owned();
    for (level, part) in rows {
        let imports: Vec<_> = parts[part].iter().map(|import| format!("`{import}`")).collect();
        let imports = if imports.is_empty() { "nothing of this crate".into() } else { imports.join(", ") };
        let contents = contents.get(part).unwrap_or(&"");
        writeln!(table, "| {level} | `{part}` | {contents} | {imports} |")?;
    }
    Ok(table)
}

/// Returns for each part one more than the highest level that it imports; 0 without imports.
fn levels(parts: &Parts) -> anyhow::Result<BTreeMap<&str, usize>> {
    let mut levels = BTreeMap::new();
    while levels.len() < parts.len() {
        let known = levels.len();
        for (part, imports) in parts {
            let below: Option<Vec<usize>> =
                imports.iter().map(|import| levels.get(import.as_str()).copied()).collect();
            if let Some(below) = below {
                levels.insert(part.as_str(), below.into_iter().max().map_or(0, |level: usize| level + 1));
            }
        }
        if levels.len() == known {
            let rest: Vec<_> = parts.keys().filter(|part| !levels.contains_key(part.as_str())).collect();
            bail!("a circle of imports among {rest:?}");
        }
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(edges: &[(&str, &[&str])]) -> Parts {
        edges.iter().map(|(part, to)| ((*part).into(), to.iter().map(|to| (*to).into()).collect())).collect()
    }

    #[test]
    fn table_has_levels_and_imports_and_keeps_its_contents() {
        let parts = of(&[("http", &["post", "text"]), ("post", &["text"]), ("text", &[])]);
        let old = format!("{HEAD}| 9 | `post` | the pipeline | `http` |\n");
        let expected = "| 2 | `http` |  | `post`, `text` |\n| 1 | `post` | the pipeline | `text` |\n\
             | 0 | `text` |  | nothing of this crate |\n";
        assert_eq!(table(&parts, &old).unwrap(), format!("{HEAD}{expected}"));
    }

    #[test]
    fn circle_of_parts_is_named() {
        let error = levels(&of(&[("a", &["b"]), ("b", &["a"]), ("c", &[])])).unwrap_err().to_string();
        assert!(error.contains(r#"["a", "b"]"#), "{error}");
    }
}
