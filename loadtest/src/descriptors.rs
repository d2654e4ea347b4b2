//! Limits on sockets: how many viewers one process can hold, and how many processes a scenario
//! needs.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::error::LoadtestError;

/// Descriptors of a process that viewers cannot use: posts, entry, pipes, files.
pub const RESERVED: u64 = 768;
/// Viewers of one process at most where the system sets no limit.
const UNLIMITED: u64 = 1 << 20;

/// Raises the descriptor limit as far as allowed, and returns the number of viewers that fit.
pub fn raise() -> Result<u32, LoadtestError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)
        .map_err(|error| LoadtestError::cannot_run("the descriptor limit cannot be raised", error))?;
    let descriptors = limit.maximum.unwrap_or(UNLIMITED).min(UNLIMITED);
    Ok(descriptors.saturating_sub(RESERVED) as u32)
}

/// Returns the number of processes: the one asked for, or the smallest that the limit allows. `fit`
/// is the number of viewers that one process can hold.
pub fn processes(viewers: u32, fit: u32, asked: Option<u32>) -> Result<u32, LoadtestError> {
    if fit == 0 {
        return Err(LoadtestError::cannot(format!(
            "the descriptor limit leaves no room for viewers; raise it above {RESERVED} (ulimit -n)"
        )));
    }
    let needed = viewers.div_ceil(fit).max(1);
    match asked {
        Some(asked) if asked < needed => Err(LoadtestError::Usage(format!(
            "{viewers} viewers do not fit into {asked} processes: each may hold {fit} (descriptor limit {}); \
             give --processes {needed} or more, --viewers {} or less, or raise the limit (ulimit -n)",
            u64::from(fit) + RESERVED,
            u64::from(fit) * u64::from(asked),
        ))),
        Some(asked) => Ok(asked),
        None => Ok(needed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_error_names_the_possible_number_of_viewers() {
        assert_eq!(processes(100_000, 19_232, None).unwrap(), 6);
        assert_eq!(processes(10, 19_232, None).unwrap(), 1);
        assert_eq!(processes(10, 19_232, Some(3)).unwrap(), 3);
        let refused = processes(100_000, 19_232, Some(2)).unwrap_err();
        assert_eq!(refused.exit_code(), 64);
        let text = refused.to_string();
        assert!(text.contains("--processes 6") && text.contains("--viewers 38464"), "{text}");
    }
}
