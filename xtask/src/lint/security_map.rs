//! Checks that the tests and files which docs/security.md names exist: a rule without its test is not kept.

use std::collections::BTreeSet;

use anyhow::{Context, bail};

use crate::run::{root, tracked_files};

/// The page with the map of rules and tests.
const PAGE: &str = "docs/security.md";
/// Marks of a test's title in JavaScript.
const TITLES: [&str; 2] = ["test('", "test(\""];

/// Fails with all names of the page that no source has.
pub(crate) fn check() -> anyhow::Result<()> {
    let page = std::fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    let mut functions = BTreeSet::new();
    let files = tracked_files()?;
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        // A deleted file may still be listed.
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        functions.extend(functions_of(&text).map(str::to_owned));
    }
    let titles: String = files
        .iter()
        .filter(|file| file.ends_with(".test.mjs"))
        .map(|file| std::fs::read_to_string(root().join(file)).unwrap_or_default())
        .collect();
    let missing: Vec<_> = names(&page)
        .filter(|name| match name {
            Name::Test(test) => !functions.contains(*test),
            Name::Title(title) => !TITLES.iter().any(|mark| titles.contains(&format!("{mark}{title}"))),
        })
        .map(|name| format!("{name:?}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "{PAGE} names tests that do not exist; correct the page, or write the test:\n  {}",
        missing.join("\n  ")
    )
}

/// A test that the page names.
#[derive(Debug, PartialEq, Eq)]
enum Name<'a> {
    /// Function of a test in Rust.
    Test(&'a str),
    /// Title of a test of the page, in quotes.
    Title(&'a str),
}

/// Returns the code spans that are names of tests: words joined by underscores, or titles with spaces in quotes.
fn names(page: &str) -> impl Iterator<Item = Name<'_>> {
    page.split('`').skip(1).step_by(2).filter_map(|span| {
        let is_name =
            span.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_name && span.matches('_').count() >= 3 {
            return Some(Name::Test(span));
        }
        span.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).map(Name::Title)
    })
}

fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).map(|after| {
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        after.split_at(end).0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_with_three_underscores_and_quoted_titles_are_names_of_tests() {
        let page =
            "a `token_is_valid_for_its_room` b `http.idle_secs` `x_y_z` `'scripts never run'` `services/a`";
        let found: Vec<_> = names(page).collect();
        assert_eq!(found, [Name::Test("token_is_valid_for_its_room"), Name::Title("scripts never run")]);
        let functions: Vec<_> = functions_of("fn a_b() {} async fn c(").collect();
        assert_eq!(functions, ["a_b", "c"]);
    }
}
