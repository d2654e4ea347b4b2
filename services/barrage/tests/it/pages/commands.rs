//! The commands of README and of the documents run in the order of each page, their configurations
//! are valid, and `config show` prints a valid configuration.

use std::path::Path;

use super::Machine;
use crate::support;

#[tokio::test]
async fn commands_of_the_readme_run_in_order() {
    let machine = Machine::new();
    // The page assumes a recording of the reader.
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recording/assets/demo.xml");
    std::fs::copy(recording, machine.work().join("recording.xml")).unwrap();
    machine.run("README.md", &super::page("README.md")).await;
}

#[tokio::test]
async fn commands_of_the_guides_run_or_have_a_reason() {
    for name in pages_in("docs/guide") {
        Machine::new().run(&name, &super::page(&name)).await;
    }
}

/// Returns the paths of the pages in a folder, without those of its folders.
fn pages_in(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "md");
    let mut pages: Vec<_> =
        names.map(|name| format!("{folder}/{}", name.to_str().unwrap())).filter(is_page).collect();
    pages.sort();
    pages
}

/// Returns the lines of the blocks whose language begins so, without their comments, which may differ.
fn code(page: &str, language: &str) -> Vec<String> {
    let blocks = super::blocks(&super::page(page)).into_iter();
    let text: String = blocks
        .filter(|block| block.info.starts_with(language))
        .map(|block| format!("{}\n{}", block.info, block.text))
        .collect();
    let lines = text.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim_end().to_owned());
    lines.collect()
}

#[test]
fn chinese_readme_has_the_commands_of_the_readme() {
    assert_eq!(code("README.zh-CN.md", "sh"), code("README.md", "sh"));
}

/// So the tests of the English guides hold for the commands, configurations and programs of the Chinese ones.
#[test]
fn chinese_guides_have_the_code_and_the_sections_of_the_english_ones() {
    let sections = |page: &str| {
        let text = super::page(page);
        // Lines of code may begin with the same character.
        let prose = text.split("\n```").step_by(2).flat_map(str::lines);
        let level = |line: &str| line.split_once("# ").map(|(before, _)| before.len());
        let found = prose.filter(|line| line.starts_with('#') || line.starts_with("!["));
        found.map(|line| level(line).filter(|_| line.starts_with('#'))).collect::<Vec<_>>()
    };
    let pages = pages_in("docs/guide/zh-CN");
    assert_eq!(pages.len(), 6);
    for chinese in pages {
        let english = chinese.replace("/zh-CN/", "/");
        assert_eq!(code(&chinese, ""), code(&english, ""), "{chinese}");
        assert_eq!(sections(&chinese), sections(&english), "{chinese}");
    }
}

/// All TOML blocks of these guides together are one file.
#[tokio::test]
async fn configurations_of_the_guides_are_valid() {
    let guides =
        ["docs/guide/moderate.md", "docs/guide/tune.md", "docs/guide/trace.md"].map(super::page).concat();
    let blocks: Vec<_> =
        guides.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("barrage.toml"), blocks.concat()).unwrap();
    // The guide assumes word lists of the reader.
    let lists =
        blocks.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("file = \""));
    for file in lists.map(|rest| rest.split('"').next().unwrap()) {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "abuse\n").unwrap();
    }
    let (code, _, error) = barrage(dir.path(), &["--config", "barrage.toml", "config", "check"]).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let secret = "[redis]\nurl = \"redis://me:secret@host\"\n";
    std::fs::write(dir.path().join("secret.toml"), secret).unwrap();
    let (_, shown, _) = barrage(dir.path(), &["--config", "secret.toml", "config", "show"]).await;
    assert!(shown.contains("***@host") && !shown.contains("secret"), "{shown}");
}

/// Runs `barrage` and returns its exit code, standard output and standard error.
async fn barrage(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = support::barrage(dir, arguments).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn configuration_of_the_readme_is_valid_and_mints_tokens() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("<<'TOML'\n").unwrap();
    let (toml, _) = rest.split_once("TOML\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("barrage.toml"), toml).unwrap();
    std::fs::write(dir.path().join("secret.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let config = ["--config", "barrage.toml"];
    let (code, _, error) = barrage(dir.path(), &[&config[..], &["config", "check"]].concat()).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let minting = ["token", "--user", "ann", "--name", "Ann", "--room", "demo", "--ttl-secs", "3600"];
    let (code, token, error) = barrage(dir.path(), &[&config[..], &minting].concat()).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(
        (token.lines().count(), token.matches('.').count()),
        (1, 2),
        "standard output has more than a token: {token}"
    );

    let (_, shown, _) = barrage(dir.path(), &[&config[..], &["config", "show"]].concat()).await;
    std::fs::write(dir.path().join("shown.toml"), &shown).unwrap();
    let (code, again, error) = barrage(dir.path(), &["--config", "shown.toml", "config", "show"]).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(again, shown);

    std::fs::write(dir.path().join("bad.toml"), toml.replace("secret_file", "secret_flie")).unwrap();
    let (code, _, error) = barrage(dir.path(), &["--config", "bad.toml", "config", "check"]).await;
    assert_eq!(code, 64);
    assert!(error.contains("secret_f"), "{error}");
}
