//! Exit codes of the program.

use std::fmt::Write;
use std::process::ExitCode;

use crate::admin_error::AdminError;

/// Result of a command, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success,
    Failure,
    Usage,
    Unreachable,
    Refused,
    Configuration,
}

impl Exit {
    const ALL: [Exit; 6] =
        [Exit::Success, Exit::Failure, Exit::Usage, Exit::Unreachable, Exit::Refused, Exit::Configuration];

    const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            // The code of clap, which parses the command line.
            Exit::Usage => 2,
            Exit::Unreachable => 4,
            Exit::Refused => 5,
            // `EX_USAGE` of sysexits.h.
            Exit::Configuration => 64,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Exit::Success => "The command has done its work.",
            Exit::Failure => "The command failed, or a check failed (doctor, probe, token check).",
            Exit::Usage => "The command line is wrong.",
            Exit::Unreachable => {
                "No process answers at the URL, or the process cannot serve the call now (HTTP 503): try again."
            }
            Exit::Refused => {
                "The process refuses the call: wrong token, no such room or message, a value out of range."
            }
            Exit::Configuration => "The configuration is not valid; every mistake is on standard error.",
        }
    }

    /// Returns the exit code of a failed command.
    pub(crate) fn of(error: &anyhow::Error) -> Exit {
        match error.chain().find_map(|cause| cause.downcast_ref::<AdminError>()) {
            Some(AdminError::Unreachable(_)) => Exit::Unreachable,
            Some(AdminError::NotFound(_) | AdminError::Refused(_)) => Exit::Refused,
            Some(AdminError::Other(_)) | None => Exit::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Describes every exit code, for the help.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:");
    for exit in Exit::ALL {
        // Writing into a string does not fail.
        _ = write!(text, "\n  {:>2}  {}", exit.code(), exit.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn failures_of_admin_calls_have_codes_of_their_own_below_any_context() {
        let code = |error: AdminError| {
            let failed: anyhow::Result<()> = Err(error.into());
            Exit::of(&failed.context("barrage room close").unwrap_err())
        };
        assert_eq!(code(AdminError::Unreachable("away".into())), Exit::Unreachable);
        assert_eq!(code(AdminError::Refused("no".into())), Exit::Refused);
        assert_eq!(code(AdminError::NotFound("no room".into())), Exit::Refused);
        assert_eq!(Exit::of(&anyhow::anyhow!("lost")), Exit::Failure);
    }

    #[test]
    fn help_has_every_code_once() {
        let help = help();
        assert_eq!(help.lines().count(), Exit::ALL.len() + 1);
        assert!(help.contains("\n  64  ") && help.contains("\n   4  "), "{help}");
    }
}
