//! `cargo xtask shape`: prints the ten worst of each kind. It measures, and never fails on a figure.

mod circles;
mod workspace;

use std::collections::BTreeMap;

use serde_json::json;

use crate::run::say;
use circles::Circles;
use workspace::{Crate, Workspace};

/// Number of entries printed of each kind, the worst first.
const WORST: usize = 10;
/// Lines of a file above which it is counted.
const FILE_LINES: usize = 400;
/// Lines of a function above which it is counted.
const FUNCTION_LINES: usize = 70;
/// Words of a doc comment up to which it is counted as short.
const DOC_WORDS: usize = 6;
/// Files of a folder above which it is listed.
const FOLDER_FILES: usize = 12;

/// Measures the `src` folders of all crates and prints a report, or one JSON object.
pub(crate) fn main(as_json: bool) -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let circles: Vec<(&Crate, Circles)> =
        workspace.crates.iter().map(|krate| (krate, Circles::of(&krate.tree))).collect();
    let figures = figures(&workspace, &circles);
    if as_json {
        return say(&figures.to_string());
    }
    for (name, value) in figures.as_object().into_iter().flatten() {
        say(&format!("{name:<30} {value}"))?;
    }
    worst("lines of a file", lengths(&workspace))?;
    worst("lines of a function", functions(&workspace))?;
    worst("files in a folder", folders(&workspace))?;
    worst("words of a doc comment, fewest", short_docs(&workspace))?;
    let between = |(krate, circles): &(&Crate, Circles)| {
        let name = krate.name.clone();
        circles
            .folders
            .iter()
            .map(move |circle| (circle.len(), format!("{name}: {}", circle.join(", "))))
            .collect::<Vec<_>>()
    };
    worst("import circles between folders", circles.iter().flat_map(between).collect())?;
    let of_files = circles.iter().flat_map(|(krate, circles)| {
        circles.files.iter().map(|circle| (circle.len(), format!("{}: {}", krate.name, circle.join(", "))))
    });
    worst("import circles of files", of_files.collect())
}

fn figures(workspace: &Workspace, circles: &[(&Crate, Circles)]) -> serde_json::Value {
    let mut lines: Vec<_> = workspace.sources.values().map(|source| source.lines).collect();
    lines.sort_unstable();
    let functions = workspace.sources.values().flat_map(|source| &source.functions);
    let docs: Vec<_> =
        workspace.sources.values().flat_map(|source| &source.docs).map(|doc| doc.words()).collect();
    let short = docs.iter().filter(|words| **words <= DOC_WORDS).count();
    let pct = short as f64 * 100.0 / docs.len().max(1) as f64;
    json!({
        "files_median": lines.get(lines.len() / 2),
        "files_over_400": lines.iter().filter(|lines| **lines > FILE_LINES).count(),
        "functions_over_70": functions.filter(|function| function.lines > FUNCTION_LINES).count(),
        "doc_blocks_short_pct": (pct * 10.0).round() / 10.0,
        "import_circles_between_folders": circles.iter().map(|(_, circles)| circles.folders.len()).sum::<usize>(),
        "largest_import_circle":
            circles.iter().flat_map(|(_, circles)| &circles.files).map(Vec::len).max().unwrap_or(0),
    })
}

fn lengths(workspace: &Workspace) -> Vec<(usize, String)> {
    workspace.sources.iter().map(|(name, source)| (source.lines, name.clone())).collect()
}

fn functions(workspace: &Workspace) -> Vec<(usize, String)> {
    let of_file = |(name, source): (&String, &crate::source::SourceFile)| {
        let shown = |f: &crate::source::Function| (f.lines, format!("{name}:{} {}", f.line, f.name));
        source.functions.iter().map(shown).collect::<Vec<_>>()
    };
    workspace.sources.iter().flat_map(of_file).collect()
}

fn folders(workspace: &Workspace) -> Vec<(usize, String)> {
    let mut counts = BTreeMap::new();
    for name in workspace.sources.keys() {
        *counts.entry(name.rsplit_once('/').map_or("", |(folder, _)| folder)).or_insert(0_usize) += 1;
    }
    let full = counts.into_iter().filter(|(_, files)| *files > FOLDER_FILES);
    full.map(|(folder, files)| (files, folder.to_owned())).collect()
}

/// Returns for each file its share of short doc comments, as number and example.
fn short_docs(workspace: &Workspace) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (name, source) in &workspace.sources {
        for doc in source.docs.iter().filter(|doc| doc.words() <= DOC_WORDS) {
            found.push((doc.words(), format!("{name}:{} {}", doc.line, doc.text)));
        }
    }
    found.sort();
    found.truncate(WORST);
    found
}

/// Prints the entries with the highest numbers.
fn worst(title: &str, mut entries: Vec<(usize, String)>) -> anyhow::Result<()> {
    entries.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    say(&format!("\n{title}"))?;
    if entries.is_empty() {
        return say("  none");
    }
    entries.iter().take(WORST).try_for_each(|(number, text)| say(&format!("{number:>6}  {text}")))
}
