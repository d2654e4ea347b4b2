//! Shape of prose: doc comments that say nothing, long Markdown lines, long commit subjects.

use std::fmt::Write;

use anyhow::bail;

use crate::run::{command, note, root, tracked_files};
use crate::source::SourceFile;

/// Words below which a doc comment says nothing that a name does not.
const DOC_WORDS_MIN: usize = 4;
/// Longest line of a Markdown file, without tables and code.
const MARKDOWN_CHARS_MAX: usize = 160;
/// Maximum number of characters in the subject of a commit.
const SUBJECT_CHARS_MAX: usize = 72;
/// Findings that existed when the check was added. Lower it with each one that is rewritten.
const KNOWN: usize = 0;
/// Findings that are printed; all are in the file.
const SHOWN: usize = 10;
const LIST: &str = "target/prose.txt";

/// Fails when there are more findings than [`KNOWN`]; prints fewer as a warning.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for name in tracked_files()? {
        let is_text = name.ends_with(".rs") || name.ends_with(".md");
        let Some(text) = is_text.then(|| std::fs::read_to_string(root().join(&name)).ok()).flatten() else {
            continue;
        };
        if name.ends_with(".rs") {
            found.extend(docs(&name, &text));
        } else {
            found.extend(markdown(&name, &text));
        }
    }
    found.extend(subjects());
    if found.is_empty() {
        return Ok(());
    }
    let mut list = String::new();
    found.iter().try_for_each(|line| writeln!(list, "{line}"))?;
    std::fs::create_dir_all(root().join("target"))?;
    std::fs::write(root().join(LIST), list)?;
    if found.len() > KNOWN {
        found.iter().for_each(|line| note(&format!("  {line}")));
        bail!("{} findings in prose, {KNOWN} are known: rewrite the new ones of the list above", found.len());
    }
    note(&format!("warning: {} findings in prose, all in {LIST}:", found.len()));
    found.iter().take(SHOWN).for_each(|line| note(&format!("  {line}")));
    Ok(())
}

/// Returns doc comments of too few words, or with no word beside the name of the item.
fn docs(file: &str, text: &str) -> Vec<String> {
    let stem = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let mut found = Vec::new();
    for doc in SourceFile::parse(text).docs {
        let place = format!("{file}:{}: {:?}", doc.line, doc.text);
        if doc.words() < DOC_WORDS_MIN {
            found.push(format!(
                "{place} has fewer than {DOC_WORDS_MIN} words: say why, when, unit or failure"
            ));
        } else if doc.only_repeats(doc.item.as_deref().unwrap_or(&stem)) {
            found.push(format!("{place} only repeats the name: say why, when, unit or failure"));
        }
    }
    found
}

fn markdown(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let chars = line.chars().count();
        let is_table = line.trim_start().starts_with('|');
        if chars > MARKDOWN_CHARS_MAX && !in_code && !is_table {
            found.push(format!("{file}:{}: {chars} characters, at most {MARKDOWN_CHARS_MAX}", n + 1));
        }
    }
    found
}

/// Returns subjects that are too long, of commits that the main branch does not have.
fn subjects() -> Vec<String> {
    let git = |arguments: &[&str]| {
        let output = command("git", arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let base = ["origin/main", "main"].iter().find_map(|main| git(&["merge-base", "HEAD", main]));
    let log = base.and_then(|base| git(&["log", "--format=%h %s", &format!("{}..HEAD", base.trim())]));
    long_subjects(&log.unwrap_or_default())
}

fn long_subjects(log: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (commit, subject) = line.split_once(' ')?;
        let chars = subject.chars().count();
        (chars > SUBJECT_CHARS_MAX)
            .then(|| format!("commit {commit}: subject of {chars} characters, at most {SUBJECT_CHARS_MAX}"))
    };
    log.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_repeating_docs_are_listed() {
        let text = "/// Closes it.\nfn a() {}\n/// The id of the room.\nfn room_id() {}\n/// Closes the room at its end.\nfn b() {}\n";
        let found = docs("x.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("fewer than"));
        assert!(found[1].contains("repeats"));
    }

    #[test]
    fn long_lines_of_tables_and_code_are_allowed() {
        let long = "x".repeat(200);
        let text = format!("{long}\n| {long} |\n```\n{long}\n```\n");
        assert_eq!(markdown("a.md", &text), ["a.md:1: 200 characters, at most 160"]);
    }

    #[test]
    fn long_subjects_are_listed() {
        let log = format!("abc1 short\nabc2 {}\n", "y".repeat(73));
        assert_eq!(long_subjects(&log), ["commit abc2: subject of 73 characters, at most 72"]);
    }
}
