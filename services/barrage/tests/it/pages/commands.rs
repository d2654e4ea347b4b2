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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut guides: Vec<_> = files.map(|name| format!("docs/guide/{}", name.to_str().unwrap())).collect();
    guides.sort();
    for name in guides {
        Machine::new().run(&name, &super::page(&name)).await;
    }
}

/// The comments of the commands may differ.
#[test]
fn chinese_readme_has_the_commands_of_the_readme() {
    let commands = |page: &str| {
        let blocks = super::blocks(&super::page(page)).into_iter();
        let text: String =
            blocks.filter(|block| block.info.starts_with("sh")).map(|block| block.text).collect();
        let lines =
            text.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim_end().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(commands("README.zh-CN.md"), commands("README.md"));
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
