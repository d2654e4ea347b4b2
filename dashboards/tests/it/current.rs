//! The files that are checked in are those that the program writes.

use std::collections::BTreeSet;

use barrage_dashboards::files;

#[test]
fn checked_in_files_are_current() {
    for file in files() {
        assert!(
            crate::read(&file.path) == file.text,
            "{} is not current: run `cargo xtask gen` and commit the file",
            file.path
        );
    }
}

#[test]
fn no_dashboard_without_code_is_checked_in() {
    let generated: BTreeSet<_> = files().into_iter().map(|file| file.path).collect();
    for folder in ["dashboards", "helm/barrage/files/dashboards"] {
        for entry in std::fs::read_dir(crate::root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            assert!(!name.ends_with(".json") || generated.contains(&path), "{path} has no code");
        }
    }
}
