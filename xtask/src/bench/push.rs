//! Notifications to followers: how many a second of processor time, over one HTTP/2 connection.

use anyhow::Context;

use super::site::{Build, Part, empty_folder};
use crate::run::{note, say};

/// Lets the part tell followers, and prints its figures.
pub(crate) fn main(build: &Build, followers: u32, service: &str, as_json: bool) -> anyhow::Result<()> {
    note("telling followers; 20,000 take some twenty seconds");
    let folder = empty_folder("push")?;
    let folder = folder.to_str().context("the folder's name is no text")?;
    let followers = followers.to_string();
    let part = ["push", "--folder", folder, "--followers", &followers, "--service", service];
    let printed = Part::output(build, &part)?;
    let figures = printed.last().context("the part printed no figures")?;
    if as_json {
        return say(&serde_json::to_string(figures)?);
    }
    for (name, value) in figures {
        say(&format!("{name}: {value}"))?;
    }
    Ok(())
}
