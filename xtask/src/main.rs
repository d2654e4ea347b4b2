//! The only entry for developers and CI: setup, tests, lints, generated files, benches.

#![allow(clippy::disallowed_methods, reason = "a tool measures commands with the machine's clock")]

mod bench;
mod chart;
mod conformance;
mod fault;
mod fuzz;
mod r#gen;
mod lint;
mod run;
mod sbom;
mod setup;
mod shape;
mod simulate;
mod source;
mod test;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use setup::Hooks;
use test::Tier;

#[derive(Debug, Parser)]
#[command(about = "Commands for developers of Barrage")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs the programs that tests and lints need; prints each step first.
    Setup {
        /// Adds a git hook as well, which runs the lints before each push.
        #[arg(long)]
        hooks: bool,
    },
    /// Prints which programs are missing and how to get them; fails when one is.
    Doctor,
    /// Formats all Rust code with rustfmt.
    Fmt,
    /// Checks format, clippy, paths, layers, licences, prose and the page's types.
    Lint {
        /// Leaves clippy out, which compiles the whole workspace.
        #[arg(long)]
        quick: bool,
    },
    /// Runs everything that CI runs: lints, all tests, the page's build, the browser.
    Test {
        /// Runs unit tests and integration tests of one process only, in minutes.
        #[arg(long, conflicts_with = "full")]
        fast: bool,
        /// Adds the fault scenarios, and the chart on the API server in KUBE_BIN.
        #[arg(long)]
        full: bool,
        /// Compiles the tests and runs none; needs no program of `setup`.
        #[arg(long, conflicts_with_all = ["fast", "full"])]
        no_run: bool,
    },
    /// Measures files, functions, doc comments and imports; prints the ten worst of each and never fails.
    Shape {
        /// Prints one JSON object instead of a report.
        #[arg(long)]
        json: bool,
    },
    /// Checks the Helm chart: lint, renders, validity for several Kubernetes versions, wrong values, guards.
    Chart {
        /// Writes the chart's schema and its table of values.
        #[arg(long)]
        write: bool,
        /// Prints the objects of a value set of helm/barrage/ci.
        #[arg(long, value_name = "SET", conflicts_with = "write")]
        print: Option<String>,
        /// Installs, upgrades and rolls back on the API server in KUBE_BIN instead, and starts each pod's
        /// command as a process. Prints the reason where it cannot.
        #[arg(long, conflicts_with_all = ["write", "print"])]
        cluster: bool,
    },
    /// Rebuilds the page that is embedded in the server.
    Web,
    /// Generates the files that are checked in, or recordings for tests.
    Gen {
        #[command(subcommand)]
        what: Option<Gen>,
    },
    /// Kills, stops, cuts off and starves real processes while gifts are counted; fails when one is lost or
    /// doubled. `fault list` prints the scenarios.
    Fault(fault::Fault),
    /// Runs mutated inputs through every decoder that a stranger's bytes reach; fails when one breaks a promise.
    Fuzz(fuzz::Fuzz),
    /// Runs the Autobahn test suite against the WebSocket frames, where AUTOBAHN_PYTHON names a Python that has it.
    Conformance {
        /// Writes the kept verdict.
        #[arg(long)]
        write: bool,
    },
    /// Checks licences, sources, duplicates and known vulnerabilities of all dependencies.
    Deny {
        /// Clone of github.com/rustsec/advisory-db, which is copied into target.
        #[arg(long, value_name = "FOLDER")]
        advisories: Option<std::path::PathBuf>,
    },
    /// Runs the deterministic simulation of the parts that decide about money and order.
    Simulate(simulate::Simulate),
    /// Tries every order of steps of the protocols between threads that have no lock.
    Model,
    /// Measures optimised builds on real servers.
    Bench(bench::Bench),
}

#[derive(Debug, Subcommand)]
enum Gen {
    /// Writes danmaku files with the rates, repeats and oddities of real ones.
    Recordings {
        /// Folder to write to.
        dir: std::path::PathBuf,
        /// The same seed gives the same files.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes the bill of materials of the server as CycloneDX JSON.
    Sbom {
        /// File to write to.
        #[arg(default_value = "target/barrage.cdx.json")]
        file: std::path::PathBuf,
    },
    /// Writes the tables of ARCHITECTURE.md that say which part of a crate imports which.
    Imports,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup { hooks } => setup::main(if hooks { Hooks::Install } else { Hooks::Leave }),
        Command::Doctor => setup::doctor(),
        Command::Fmt => run::run(run::command("cargo", &["fmt", "--all"])),
        Command::Lint { quick: true } => lint::all_but_clippy(),
        Command::Lint { quick: false } => lint::main(),
        Command::Test { no_run: true, .. } => test::compile(),
        Command::Test { fast, full, no_run: false } => test::main(match (fast, full) {
            (true, _) => Tier::Fast,
            (_, true) => Tier::Full,
            _ => Tier::Ci,
        }),
        Command::Shape { json } => shape::main(json),
        Command::Chart { cluster: true, .. } => chart::cluster(),
        Command::Chart { write, print, .. } => chart::main(write, print.as_deref()),
        Command::Web => web::build(),
        Command::Gen { what: Some(Gen::Recordings { dir, seed }) } => r#gen::recordings(&dir, seed),
        Command::Gen { what: Some(Gen::Imports) } => lint::import_tables::write(),
        Command::Gen { what: Some(Gen::Sbom { file }) } => sbom::write(&file),
        Command::Gen { what: None } => r#gen::checked_in(),
        Command::Fault(fault) => fault::main(&fault),
        Command::Fuzz(fuzz) => fuzz::main(&fuzz),
        Command::Conformance { write } => conformance::main(write),
        Command::Deny { advisories } => lint::dependencies::deny(advisories.as_deref()),
        Command::Simulate(options) => simulate::main(&options),
        Command::Model => simulate::models(),
        Command::Bench(bench) => bench::main(bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::note(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
