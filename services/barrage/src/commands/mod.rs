//! Commands that run beside a server: tokens, calls of the admin API, explanations, probes and checks.

pub(crate) mod admin;
pub(crate) mod admin_api;
mod admin_request;
pub(crate) mod backup;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod probe;
pub(crate) mod shell;
pub(crate) mod token;
pub(crate) mod why;

use anyhow::Context;

/// Builds the runtime of a command that makes a few network calls.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be built")
}
