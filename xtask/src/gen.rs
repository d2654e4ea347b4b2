//! Generated files: those that are checked in, and recordings for tests, benches and a first look.

use std::path::Path;

use anyhow::{Context, bail};
use barrage_recording::generate;

use crate::lint::import_tables;
use crate::run::{command, note, root, run, say};
use crate::{setup, web};

/// A generated file, the program that prints it, and its arguments.
const PRINTED: [(&str, &str, &[&str]); 1] =
    [("helm/barrage/crds/fleetautoscaler.yaml", "barrage-autoscaler", &["crd"])];

/// Writes all generated files that are checked in; tests compare them with what is generated.
pub(crate) fn checked_in() -> anyhow::Result<()> {
    for (file, package, arguments) in PRINTED {
        note(&format!("==> {file}"));
        let cargo = ["run", "--quiet", "--locked", "--package", package, "--"];
        let output = command("cargo", &[&cargo, arguments].concat()).output()?;
        if !output.status.success() {
            bail!("{package} {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        std::fs::write(root().join(file), output.stdout)
            .with_context(|| format!("{file} cannot be written"))?;
    }
    run(command("cargo", &["run", "--quiet", "--locked", "--package", "barrage-dashboards"]))?;
    import_tables::write()?;
    references()?;
    web::reference()?;
    web::build()
}

/// Writes the pages of docs/reference. A running server has some of them, so the tests that compare them
/// write them too.
fn references() -> anyhow::Result<()> {
    note("==> docs/reference");
    let program = setup::program("cargo-nextest")?;
    let tests =
        ["nextest", "run", "--cargo-quiet", "--locked", "--package", "barrage", "-E", "test(reference::)"];
    let mut write = command(&program.to_string_lossy(), &tests);
    write.env("WRITE_REFERENCE", "1");
    run(write)
}

/// Writes one danmaku file for each profile, and one with every oddity.
pub(crate) fn recordings(folder: &Path, seed: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for file in generate::all(seed) {
        let path = folder.join(&file.file_name);
        std::fs::write(&path, &file.bytes)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let (items, skipped) = (file.expected.items(), file.expected.skipped);
        say(&format!("{}: {items} items; a parser skips {skipped}", path.display()))?;
    }
    Ok(())
}
