//! docs/reference/protocol.md and protocol-reviews.md against the types: every example parses and loses
//! nothing, every variant has one, and the table of codes is the code's.

mod frames;
mod letters;
mod media;
mod page;
mod requests;
mod reviews;
mod tables;

use std::collections::BTreeSet;

/// The names that the examples show are all that there are. The functions that
/// give the names match without a wildcard: a new variant does not compile until
/// it is named there, and then its name is to be added to `all` and to the page.
fn all_shown(what: &str, shown: impl IntoIterator<Item = &'static str>, all: &[&'static str]) {
    let shown: BTreeSet<_> = shown.into_iter().collect();
    assert_eq!(shown, all.iter().copied().collect(), "{what}");
}
