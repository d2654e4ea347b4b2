//! Letters into the tables of the inbox: rows a message, letters a second of wall and processor time.

use anyhow::Context;

use super::site::{Build, Part, empty_folder};
use crate::run::{note, say};

/// Engines of the tables.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Store {
    /// A file of SQLite, whose processor time counts.
    Sqlite,
    /// A PostgreSQL server, whose processor time does not count.
    Pg,
}

/// Lets the part write letters, and prints its figures.
pub(crate) fn main(build: &Build, store: Store, as_json: bool) -> anyhow::Result<()> {
    note("writing letters; this takes some twenty seconds");
    let folder = empty_folder("courier")?;
    let folder = folder.to_str().context("the folder's name is no text")?;
    let store = match store {
        Store::Sqlite => "sqlite",
        Store::Pg => "pg",
    };
    let printed = Part::output(build, &["courier", "--store", store, "--folder", folder])?;
    let figures = printed.last().context("the courier printed no figures")?;
    if as_json {
        return say(&serde_json::to_string(figures)?);
    }
    for (name, value) in figures {
        say(&format!("{name}: {value}"))?;
    }
    Ok(())
}
