//! The binary `barrage-loadtest`: parses its arguments and runs a command.

use std::io::Write;
use std::process::ExitCode;

use barrage_loadtest::cli::Cli;
use clap::Parser;
use clap::error::ErrorKind;

/// Exit code for wrong usage: `EX_USAGE` of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A failed write to a closed terminal has nowhere to be reported.
            drop(error.print());
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { USAGE });
        }
    };
    match cli.execute() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = error.exit_code();
            let error = anyhow::Error::new(error);
            drop(writeln!(std::io::stderr().lock(), "barrage-loadtest: {error:#}"));
            ExitCode::from(code)
        }
    }
}
