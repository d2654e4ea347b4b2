//! Completions load in their shells, and man pages are well formed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;
use crate::support::text_of;

/// Returns the path of a program; `None`, with a line that says so, when it is not installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: {name} is not installed");
    }
    found
}

async fn completions(folder: &Path, shell: &str) -> PathBuf {
    let output = run(folder, &["completions", shell], &[]).await;
    assert!(output.status.success(), "{}", text_of(&output));
    let file = folder.join(shell);
    std::fs::write(&file, &output.stdout).unwrap();
    file
}

fn checked(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    text_of(&output)
}

#[tokio::test]
async fn bash_completes_nouns_verbs_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let file = completions(folder.path(), "bash").await;
    let complete = |words: &[&str]| {
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let script = format!(
            "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; _barrage barrage '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            file.display(),
            words.join(" "),
            words.len() - 1,
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]);
        checked(bash)
    };
    assert!(complete(&["barrage", "roo"]).contains("room"));
    assert_eq!(complete(&["barrage", "room", "cl"]).trim(), "close");
    assert!(complete(&["barrage", "user", "mute", "--re"]).contains("--reason"));
    assert!(complete(&["barrage", "room", "list", "--output", ""]).contains("json"));
}

#[tokio::test]
async fn zsh_and_fish_parse_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["zsh", "fish"] {
        let file = completions(folder.path(), shell).await;
        assert!(std::fs::read_to_string(&file).unwrap().contains("give-back"), "{shell}");
        let Some(program) = program(shell) else { continue };
        let mut parse = Command::new(program);
        parse.arg("-n").arg(&file);
        checked(parse);
    }
}

#[tokio::test]
async fn each_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let output = run(folder.path(), &["man", "--dir", pages.to_str().unwrap()], &[]).await;
    assert!(output.status.success(), "{}", text_of(&output));
    let page = std::fs::read_to_string(pages.join("barrage-user-mute.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("\\-\\-reason"), "{page}");
    let main = pages.join("barrage.1");
    assert!(std::fs::read_to_string(&main).unwrap().contains("Exit codes"));
    if let Some(mandoc) = program("mandoc") {
        let mut lint = Command::new(mandoc);
        lint.args(["-T", "lint", "-W", "error"]).arg(&main);
        checked(lint);
    }
    if let Some(man) = program("man") {
        let mut show = Command::new(man);
        show.arg("-l").arg(&main).env("MANPAGER", "cat");
        assert!(checked(show).contains("barrage"));
    }
}
