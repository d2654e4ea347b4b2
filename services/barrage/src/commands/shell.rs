//! `barrage completions`, `barrage man` and `barrage openapi`: descriptions of the program, for shells,
//! readers and generators of clients.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::api::{self, Listener};
use crate::cli::Cli;
use crate::console::{print_line, print_text};

/// Prints the script that completes commands in a shell.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "barrage", &mut script);
    print_text(&String::from_utf8_lossy(&script))
}

/// Writes one man page for each command into a folder, which is created.
pub(crate) fn man(folder: &Path) -> anyhow::Result<()> {
    let wrong = || format!("--dir {}", folder.display());
    std::fs::create_dir_all(folder).with_context(wrong)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(wrong)
}

/// Prints the OpenAPI document of both listeners, or of the public one.
pub(crate) fn openapi(is_public: bool) -> anyhow::Result<()> {
    let listener = if is_public { Listener::Public } else { Listener::Admin };
    print_line(serde_json::to_string_pretty(&api::describe(listener))?)
}
